// The log: its file, which comes and goes under a running broker, and its lines.
#include "cli/log_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/support/temp_dir.h"

namespace nightjar::cli {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string content_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

struct LogFile : testing::Test {
  ~LogFile() override { log::set_sink(nullptr); }
  test_support::TempDir directory;
};

TEST_F(LogFile, IsOpenedAnewUnderItsName) {
  const std::filesystem::path file = directory.path() / "nightjar.log";
  ASSERT_TRUE(install_log({.destination = file}).has_value());
  log::info("one");
  std::filesystem::rename(file, directory.path() / "old.log");
  log::info("two");
  EXPECT_EQ(reopen_log().value(), true);
  log::info("three");
  EXPECT_THAT(content_of(directory.path() / "old.log"), ContainsRegex("one\n.*two\n$"));
  EXPECT_THAT(content_of(file), ContainsRegex("^.*three\n$"));
}

TEST_F(LogFile, IsExchangedForAnotherAndBack) {
  const std::filesystem::path first = directory.path() / "first.log";
  const std::filesystem::path second = directory.path() / "second.log";
  ASSERT_TRUE(install_log({.destination = first}).has_value());
  log::info("one");
  auto next =
      open_log({.level = log::Level::kWarn, .format = config::LogFormat::kJson, .destination = second});
  ASSERT_TRUE(next.has_value());
  log::info("two");
  const auto before = exchange_log(std::move(*next));
  log::info("left out");
  log::warn("three");
  exchange_log(before);
  log::info("four");
  EXPECT_THAT(content_of(first), ContainsRegex("one\n.*two\n.*four\n$"));
  EXPECT_THAT(content_of(second), AllOf(StartsWith("{\"time\":"), EndsWith("\"message\":\"three\"}\n")));
  EXPECT_THAT(content_of(second), Not(HasSubstr("left out")));
}

TEST_F(LogFile, LeavesNothingBehindWhenItIsGivenUp) {
  const std::filesystem::path fresh = directory.path() / "fresh.log";
  const std::filesystem::path old = directory.path() / "old.log";
  std::ofstream(old).close();
  ASSERT_TRUE(open_log({.destination = fresh}).has_value());
  ASSERT_TRUE(open_log({.destination = old}).has_value());
  EXPECT_FALSE(std::filesystem::exists(fresh));
  EXPECT_TRUE(std::filesystem::exists(old)) << "it was there before";
}

TEST_F(LogFile, StaysWhereItIsWhenItCannotBeOpenedAnew) {
  const std::filesystem::path folder = directory.path() / "logs";
  std::filesystem::create_directory(folder);
  ASSERT_TRUE(install_log({.destination = folder / "nightjar.log"}).has_value());
  std::filesystem::rename(folder, directory.path() / "moved");
  EXPECT_FALSE(reopen_log().has_value());
  log::info("still here");
  EXPECT_THAT(content_of(directory.path() / "moved" / "nightjar.log"), HasSubstr("still here"));
}

TEST_F(LogFile, NeedsItsFolder) {
  const std::filesystem::path folder = directory.path() / "missing";
  const auto installed = install_log({.destination = folder / "nightjar.log"});
  ASSERT_FALSE(installed.has_value());
  EXPECT_THAT(installed.error().message, HasSubstr("mkdir -p " + folder.string()));
  EXPECT_FALSE(std::filesystem::exists(folder));
}

TEST_F(LogFile, IsNoneWhenTheLogIsAStream) {
  ASSERT_TRUE(install_log({.destination = "stdout"}).has_value());
  EXPECT_EQ(reopen_log().value(), false);
}

TEST(LogLine, TextQuotesWhatCouldForgeALine) {
  const log::Field fields[] = {
      {"client", "pump-17"}, {"cause", "timed out"}, {"topic", "a\nb"}, {"user", ""}};
  EXPECT_EQ(text_line("client gone", fields),
            R"(client gone client=pump-17 cause="timed out" topic="a\nb" user="")");
}

TEST(LogLine, JsonIsMembersOfAnObject) {
  const log::Field fields[] = {{"client", "say \"hi\""}};
  EXPECT_EQ(json_members("client gone", fields), R"("message":"client gone","client":"say \"hi\"")");
}

}  // namespace
}  // namespace nightjar::cli
