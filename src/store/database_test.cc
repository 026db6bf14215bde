#include "store/database.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iterator>
#include <optional>
#include <random>
#include <thread>

#include "tests/support/temp_dir.h"

namespace nightjar::store {
namespace {

using broker::Table;

constexpr std::size_t kBodyBytes = 4096;
constexpr std::size_t kNoiseBytes = std::size_t{1024} * 1024;
constexpr std::uint64_t kRowsAtOnce = 250;

struct DatabaseTest : testing::Test {
  void SetUp() override {
    options.write_buffers_bytes = std::size_t{4} * 1024 * 1024;
    auto opened = Database::open(temp.path() / "store", options, [](const WriteFailure&) {});
    ASSERT_TRUE(opened) << opened.error().message;
    database = std::move(*opened);
  }
  static std::string key(std::uint64_t row) { return fmt::format("{:012}", row); }
  // That no compression makes smaller.
  std::string body() {
    if (noise.empty()) std::generate_n(std::back_inserter(noise), kNoiseBytes, std::ref(random));
    return noise.substr(random() % (kNoiseBytes - kBodyBytes), kBodyBytes);
  }
  void write(const broker::Changes& changes) {
    Database::Batch batch(*database, changes.size_bytes());
    batch.add(changes, {});
    ASSERT_TRUE(database->write(batch, Database::Until::kWithTheSystem));
  }

  test_support::TempDir temp;
  RocksOptions options;
  std::unique_ptr<Database> database;
  std::minstd_rand random;
  std::string noise;
};

TEST_F(DatabaseTest, AFewMessagesThatStayDoNotKeepWhatWasDoneWithBesideThem) {
  constexpr std::uint64_t kRounds = 700;
  constexpr std::uint64_t kLag = 20;
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    broker::Changes changes;
    const std::uint64_t first = round * kRowsAtOnce;
    for (std::uint64_t row = first; row < first + kRowsAtOnce; ++row)
      changes.put(Table::kQueues, key(row), body());
    // One in each of these stays; all others are gone when they have come to the disk.
    if (round >= kLag)
      changes.erase_range(Table::kQueues, key(first - kLag * kRowsAtOnce + 1),
                          key(first - (kLag - 1) * kRowsAtOnce));
    write(changes);
  }
  const std::uint64_t written = kRounds * kRowsAtOnce * kBodyBytes;
  // The work in the background comes when the machine has time for it, and is asked for by what is written.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (database->body_bytes() >= written / 2 && std::chrono::steady_clock::now() < end) {
    broker::Changes changes;
    for (std::uint64_t row = 0; row < kRowsAtOnce; ++row)
      changes.put(Table::kQueues, "later" + key(row), body());
    changes.erase_range(Table::kQueues, "later", "latez");
    write(changes);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_LT(database->body_bytes(), written / 2);
  std::uint64_t left = 0;
  ASSERT_TRUE(database->scan(Table::kQueues, key(0), {}, [&](std::string_view, std::string_view value) {
    ++left;
    return value.size() == kBodyBytes;
  }));
  EXPECT_EQ(left, kRounds - kLag + kLag * kRowsAtOnce);
}

}  // namespace
}  // namespace nightjar::store
