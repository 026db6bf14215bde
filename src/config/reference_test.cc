#include "config/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "config/chinese.h"
#include "config/load.h"
#include "config/schema.h"

namespace nightjar::config {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr Language kEnglish = Language::kEnglish;
constexpr Language kChinese = Language::kChinese;

std::string committed(const std::string& name) {
  const auto source = std::filesystem::path(__FILE__).parent_path();
  std::ifstream in(source / "../../docs" / name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// Every text that the reference and --explain take from the schema or say of their own.
void gather_texts(const Section& section, std::set<std::string_view>& texts) {
  texts.insert(section.meaning);
  for (const Slot& slot : section.slots) texts.insert(slot.meaning);
  for (const Section& nested : section.nested) gather_texts(nested, texts);
}

std::set<std::string_view> all_texts() {
  Config config;
  ListenerConfig listener;
  std::set<std::string_view> texts(words_of_reference().begin(), words_of_reference().end());
  for (const Section& section : sections_of(config)) gather_texts(section, texts);
  gather_texts(section_of(listener), texts);
  return texts;
}

TEST(Reference, NamesEveryKeyWithItsDefault) {
  const std::string text = reference(kEnglish);
  EXPECT_THAT(text, HasSubstr("| `max_packet_size` | `\"16MiB\"` |"));
  EXPECT_THAT(text, HasSubstr("| `max_session_expiry` | `\"7d\"` |"));
  EXPECT_THAT(text, HasSubstr("| `overflow` | `\"drop-new\"` |"));
  EXPECT_THAT(text, HasSubstr("| `allow_anonymous` | `false` |"));
  EXPECT_THAT(text, HasSubstr("| `interval` | `\"10s\"` |"));
}

TEST(Reference, IsWhatTheDocumentationHolds) {
  EXPECT_EQ(committed("configuration.md"), reference(kEnglish))
      << "run: nightjar serve --print-config-reference --language en > docs/configuration.md";
  EXPECT_EQ(committed("configuration.zh.md"), reference(kChinese))
      << "run: nightjar serve --print-config-reference --language zh > docs/configuration.zh.md";
}

TEST(Reference, TheExampleInItIsAValidFile) {
  const std::string text = reference(kEnglish);
  const std::size_t begin = text.find("```toml\n") + 8;
  EXPECT_TRUE(load_text(text.substr(begin, text.find("```", begin) - begin), "nightjar.toml").has_value());
}

TEST(Chinese, EveryTextIsTranslatedAsItStandsNow) {
  for (const std::string_view text : all_texts()) {
    EXPECT_NE(in_language(kChinese, text), text) << "chinese.cc has no translation of this";
  }
}

TEST(Chinese, NothingIsTranslatedThatNobodySaysAnyMore) {
  const std::set<std::string_view> texts = all_texts();
  std::set<std::string_view> seen;
  for (const Translation& translation : translations()) {
    EXPECT_TRUE(texts.contains(translation.english)) << translation.english;
    EXPECT_TRUE(seen.insert(translation.english).second) << "twice: " << translation.english;
  }
}

TEST(Chinese, IsChosenByTheLocale) {
  EXPECT_EQ(language_of("zh_CN.UTF-8"), kChinese);
  EXPECT_EQ(language_of("zh"), kChinese);
  EXPECT_EQ(language_of("en_GB.UTF-8"), kEnglish);
  EXPECT_EQ(language_of("C"), kEnglish);
}

TEST(Explain, TellsMeaningValuesDefaultAndAnExampleOfAKey) {
  EXPECT_EQ(explain("limits.max_packet_size", kEnglish).value(),
            "limits.max_packet_size\n"
            "  Largest packet a client may send; told to 5.0 clients as Maximum Packet Size.\n"
            "  Value: a size from 1KiB to 268435460B\n"
            "  Default: \"16MiB\"\n"
            "  Example:\n"
            "    [limits]\n"
            "    max_packet_size = \"1MiB\"\n");
}

TEST(Explain, SpeaksChinese) {
  EXPECT_EQ(explain("sys.interval", kChinese).value(),
            "sys.interval\n"
            "  $SYS 主题的发布间隔。0：从不发布。\n"
            "  取值：时长，0 到 1d\n"
            "  默认值：\"10s\"\n"
            "  示例：\n"
            "    [sys]\n"
            "    interval = \"1m\"\n");
}

TEST(Explain, FindsAKeyInEveryTableThatHasIt) {
  EXPECT_THAT(explain("max_messages", kEnglish).value(),
              AllOf(HasSubstr("listener.queue.max_messages"), HasSubstr("shared.queue.max_messages")));
  EXPECT_THAT(explain("queue.max_messages", kEnglish).value(), Not(HasSubstr("shared")));
  EXPECT_THAT(explain("max_packet_size", kEnglish).value(), Not(HasSubstr("listener.")));
}

TEST(Explain, AListenersOwnLimitsAreFoundByTheirFullName) {
  EXPECT_THAT(explain("listener.max_packet_size", kEnglish).value(),
              AllOf(HasSubstr("listener.max_packet_size\n"), HasSubstr("[[listener]]\n")));
}

TEST(Explain, NamesTheNearestKey) {
  EXPECT_THAT(explain("max_mesages", kEnglish).error().message, HasSubstr("did you mean \"max_messages\"?"));
  EXPECT_THAT(explain("limits.max_packet_siz", kEnglish).error().message,
              HasSubstr("limits.max_packet_size"));
  EXPECT_THAT(explain("zzzzzzzz", kEnglish).error().message, HasSubstr("lists all"));
}

}  // namespace
}  // namespace nightjar::config
