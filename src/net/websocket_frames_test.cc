#include "net/websocket_frames.h"

#include <gtest/gtest.h>

#include <string>

namespace nightjar::net {
namespace {

using State = WebSocketHeaderState;

State read(std::string_view bytes, WebSocketFrameHeader& header) {
  return read_websocket_header(as_bytes(bytes), header);
}
State state_of(std::string_view bytes) {
  WebSocketFrameHeader header;
  return read(bytes, header);
}
std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) text += static_cast<char>(value);
  return text;
}

TEST(WebSocketFrames, LengthsAreWrittenAsShortAsTheyCanBeAndReadBack) {
  for (const std::size_t size : {0U, 1U, 125U, 126U, 65'535U, 65'536U, 5'000'000U}) {
    for (const bool is_masked : {false, true}) {
      ByteBuffer out;
      if (is_masked) {
        write_masked_websocket_header(out, WebSocketOpcode::kBinary, size, 0x01020304);
      } else {
        write_websocket_header(out, WebSocketOpcode::kBinary, size);
      }
      WebSocketFrameHeader header;
      ASSERT_EQ(read_websocket_header(out.view(), header), State::kComplete) << size;
      EXPECT_EQ(header.bytes, out.size());
      EXPECT_EQ(out.size(), 2 + (size < 126 ? 0U : size < 65'536 ? 2U : 8U) + (is_masked ? 4 : 0));
      EXPECT_EQ(header.payload_bytes, size);
      EXPECT_EQ(header.is_masked, is_masked);
      EXPECT_TRUE(header.is_final);
      EXPECT_EQ(header.mask, is_masked ? 0x01020304U : 0U);
      for (std::size_t part = 0; part < out.size(); ++part) {
        EXPECT_EQ(read_websocket_header(out.view().first(part), header), State::kNeedMore) << part;
      }
    }
  }
}

TEST(WebSocketFrames, WhatSection5ForbidsIsMalformed) {
  EXPECT_EQ(state_of(bytes({0xC2})), State::kMalformed) << "RSV1";
  EXPECT_EQ(state_of(bytes({0xA2})), State::kMalformed) << "RSV2";
  EXPECT_EQ(state_of(bytes({0x92})), State::kMalformed) << "RSV3";
  for (int opcode = 3; opcode < 8; ++opcode) EXPECT_EQ(state_of(bytes({0x80 | opcode})), State::kMalformed);
  for (int opcode = 0xB; opcode < 0x10; ++opcode)
    EXPECT_EQ(state_of(bytes({0x80 | opcode})), State::kMalformed);
  EXPECT_EQ(state_of(bytes({0x09, 0x00})), State::kMalformed) << "a ping in fragments";
  EXPECT_EQ(state_of(bytes({0x89, 126})), State::kMalformed) << "a long ping";
  EXPECT_EQ(state_of(bytes({0x82, 126, 0, 125})), State::kMalformed) << "a length longer than needed";
  EXPECT_EQ(state_of(bytes({0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF})), State::kMalformed);
  EXPECT_EQ(state_of(bytes({0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0})), State::kMalformed)
      << "more than 63 bits";
  EXPECT_EQ(state_of(bytes({0x82, 127, 0x7F, 0, 0, 0, 0, 0, 0, 0})), State::kComplete);
}

TEST(WebSocketFrames, EachByteIsMaskedByItsOwnByteOfTheMask) {
  const std::string text = "The quick brown fox jumps over the lazy dog, twice: the quick brown fox.";
  const std::uint32_t mask = 0xA1B2C3D4;
  for (std::size_t size = 0; size <= text.size(); ++size) {
    for (std::size_t cut = 0; cut <= size; cut = cut * 2 + 1) {
      std::string masked(size, '\0');
      auto* const to = reinterpret_cast<std::byte*>(masked.data());
      const std::uint32_t turned = copy_masked(to, as_bytes(std::string_view(text).substr(0, cut)), mask);
      copy_masked(to + cut, as_bytes(std::string_view(text).substr(cut, size - cut)), turned);
      for (std::size_t i = 0; i < size; ++i) {
        ASSERT_EQ(masked[i], static_cast<char>(text[i] ^ static_cast<char>(mask >> (8 * (i % 4))))) << i;
      }
    }
  }
}

TEST(WebSocketFrames, CloseCodesOfSection7) {
  for (const unsigned valid : {1000U, 1001U, 1002U, 1003U, 1007U, 1011U, 3000U, 4999U}) {
    EXPECT_TRUE(is_valid_close_code(valid)) << valid;
  }
  for (const unsigned invalid : {0U, 999U, 1004U, 1005U, 1006U, 1015U, 2999U, 5000U, 65535U}) {
    EXPECT_FALSE(is_valid_close_code(invalid)) << invalid;
  }
}

}  // namespace
}  // namespace nightjar::net
