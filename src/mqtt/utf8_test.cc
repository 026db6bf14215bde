#include "mqtt/utf8.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace nightjar::mqtt {
namespace {

std::string encode(std::uint32_t code_point) {
  const auto continuation = [&](unsigned shift) {
    return static_cast<char>(0x80 | ((code_point >> shift) & 0x3f));
  };
  const auto lead = [&](unsigned mark, unsigned shift) {
    return static_cast<char>(mark | (code_point >> shift));
  };
  if (code_point < 0x80) return {static_cast<char>(code_point)};
  if (code_point < 0x800) return {lead(0xC0, 6), continuation(0)};
  if (code_point < 0x10000) return {lead(0xE0, 12), continuation(6), continuation(0)};
  return {lead(0xF0, 18), continuation(12), continuation(6), continuation(0)};
}

// Decodes by arithmetic and asks afterwards whether the value may be there in this many bytes.
bool is_valid_by_value(std::string_view text) {
  constexpr std::uint32_t kLeast[] = {0, 1, 0x80, 0x800, 0x10000};
  while (!text.empty()) {
    const auto lead = static_cast<std::uint8_t>(text[0]);
    std::size_t size = 1;
    std::uint32_t value = lead;
    if (lead >= 0xF8) return false;
    if (lead >= 0xF0) {
      size = 4;
      value = lead & 0x07;
    } else if (lead >= 0xE0) {
      size = 3;
      value = lead & 0x0F;
    } else if (lead >= 0xC0) {
      size = 2;
      value = lead & 0x1F;
    } else if (lead >= 0x80) {
      return false;
    }
    if (text.size() < size) return false;
    for (std::size_t i = 1; i < size; ++i) {
      const auto byte = static_cast<std::uint8_t>(text[i]);
      if (byte < 0x80 || byte > 0xBF) return false;
      value = (value << 6) | (byte & 0x3F);
    }
    if (value < kLeast[size] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return false;
    text.remove_prefix(size);
  }
  return true;
}

TEST(Utf8, AcceptsEveryCodePointButNullAndSurrogates) {
  for (std::uint32_t code_point = 1; code_point <= 0x10FFFF; ++code_point) {
    const bool is_surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
    ASSERT_EQ(is_valid_utf8(encode(code_point)), !is_surrogate) << std::hex << code_point;
  }
}

TEST(Utf8, RefusesNullEverywhere) {
  for (std::size_t size = 1; size <= 40; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      std::string text(size, 'a');
      ASSERT_TRUE(is_valid_utf8(text));
      text[at] = '\0';
      ASSERT_FALSE(is_valid_utf8(text)) << "size " << size << " at " << at;
    }
  }
}

TEST(Utf8, KeepsTheByteOrderMarkAndNonCharacters) {
  EXPECT_TRUE(is_valid_utf8(""));
  EXPECT_TRUE(is_valid_utf8("\xEF\xBB\xBF"));          // U+FEFF
  EXPECT_TRUE(is_valid_utf8("\xEF\xBF\xBF"));          // U+FFFF
  EXPECT_TRUE(is_valid_utf8("\x01\x1F\x7F\xC2\x80"));  // control characters
}

TEST(Utf8, RefusesOverlongForms) {
  EXPECT_FALSE(is_valid_utf8("\xC0\x80"));
  EXPECT_FALSE(is_valid_utf8("\xC1\xBF"));
  EXPECT_FALSE(is_valid_utf8("\xE0\x9F\xBF"));
  EXPECT_FALSE(is_valid_utf8("\xF0\x8F\xBF\xBF"));
}

TEST(Utf8, RefusesWhatLiesAboveUnicode) {
  EXPECT_TRUE(is_valid_utf8("\xF4\x8F\xBF\xBF"));
  EXPECT_FALSE(is_valid_utf8("\xF4\x90\x80\x80"));
  EXPECT_FALSE(is_valid_utf8("\xF5\x80\x80\x80"));
  EXPECT_FALSE(is_valid_utf8("\xFF"));
}

// The four bytes cut to every length, and embedded in plain text of any alignment.
void expect_same_answer(const std::string& four) {
  for (std::size_t size = 1; size <= 4; ++size) {
    const auto text = std::string_view{four}.substr(0, size);
    ASSERT_EQ(is_valid_utf8(text), is_valid_by_value(text)) << testing::PrintToString(text);
  }
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(four[i]); };
  const std::string embedded = std::string(byte(0) % 17, 'x') + four + std::string(byte(1) % 17, 'y');
  ASSERT_EQ(is_valid_utf8(embedded), is_valid_by_value(embedded)) << testing::PrintToString(embedded);
}

// Every lead byte and second byte with the third and fourth at their bounds, against a decoder that works the
// other way round.
TEST(Utf8, AgreesWithADecoderByValue) {
  constexpr char kBounds[] = {'\x7F', '\x80', '\xBF', '\xC0'};
  for (unsigned front = 0; front < 0x10000; ++front) {
    for (unsigned back = 0; back < 16; ++back) {
      expect_same_answer({static_cast<char>(front >> 8), static_cast<char>(front & 0xff), kBounds[back / 4],
                          kBounds[back % 4]});
      if (HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace nightjar::mqtt
