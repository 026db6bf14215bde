#include "net/stacked_filter.h"

#include <gtest/gtest.h>

#include <string>

#include "net/fake_broker_test.h"
#include "net/five_byte_frames_test.h"

namespace nightjar::net {
namespace {

// Takes a greeting off the front, answers it, and lets the rest pass.
class Greeting final : public StreamFilter {
 public:
  explicit Greeting(char expected) : expected_(expected) {}

  bool receive(ByteView wire) override {
    held_.append(wire);
    if (is_greeted_ || held_.empty()) return true;
    if (as_text(held_.view())[0] != expected_) {
      wire_.append("go away");
      return false;
    }
    held_.consume(1);
    wire_.append(std::string_view(&expected_, 1));
    is_greeted_ = true;
    return true;
  }
  [[nodiscard]] bool has_plain() const override { return is_greeted_ && !held_.empty(); }
  ByteView next_plain() override {
    handed_out_ = as_text(held_.view());
    held_.clear();
    return as_bytes(handed_out_);
  }
  void send(ByteView plain) override { wire_.append(plain); }
  void finish() override {}
  ByteBuffer& wire() override { return wire_; }
  [[nodiscard]] bool is_transparent() const override { return is_greeted_; }

 private:
  char expected_;
  bool is_greeted_ = false;
  std::string handed_out_;
  ByteBuffer held_;
  ByteBuffer wire_;
};

std::unique_ptr<StreamFilter> greeting(char expected) { return std::make_unique<Greeting>(expected); }
std::unique_ptr<StreamFilter> frames() { return std::make_unique<FiveByteFrames>(); }

std::string plain_of(StreamFilter& filter) {
  std::string plain;
  while (filter.has_plain()) plain += as_text(filter.next_plain());
  return plain;
}
std::string wire_of(StreamFilter& filter) {
  std::string wire{as_text(filter.wire().view())};
  filter.wire().clear();
  return wire;
}
std::string twice(std::string_view plain) { return FiveByteFrames::frames(FiveByteFrames::frames(plain)); }

TEST(StackedFilter, BothTransformBothDirections) {
  const std::string stream = twice("hello world, how are you?");
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    StackedFilter filter{frames(), frames()};
    ASSERT_TRUE(filter.receive(as_bytes(stream.substr(0, cut))));
    std::string plain = plain_of(filter);
    ASSERT_TRUE(filter.receive(as_bytes(stream.substr(cut))));
    EXPECT_EQ(plain + plain_of(filter), "hello world, how are you?") << cut;
    filter.send(as_bytes("fine"));
    EXPECT_EQ(wire_of(filter), twice("fine"));
    EXPECT_FALSE(filter.is_transparent());
  }
}

TEST(StackedFilter, WhatTheInnerAnswersPassesTheOuter) {
  StackedFilter filter{frames(), frames()};
  ASSERT_TRUE(filter.receive(as_bytes(FiveByteFrames::frames("\xff"))));
  EXPECT_EQ(wire_of(filter), FiveByteFrames::frames("\xff"));
  EXPECT_FALSE(filter.has_plain());
}

TEST(StackedFilter, BothHaveTheirLastWordsInOrder) {
  StackedFilter filter{frames(), frames()};
  filter.send(as_bytes("bye"));
  filter.finish();
  const std::string zero(1, '\0');
  EXPECT_EQ(wire_of(filter), twice("bye") + FiveByteFrames::frames(zero) + zero);
}

TEST(StackedFilter, TheEndOfEitherIsTheEnd) {
  StackedFilter outer_broken{frames(), frames()};
  EXPECT_FALSE(outer_broken.receive(as_bytes("\x09")));
  StackedFilter inner_broken{frames(), frames()};
  EXPECT_FALSE(inner_broken.receive(as_bytes(FiveByteFrames::frames("\x09"))));
}

TEST(StackedFilter, TheLastWordsOfAnInnerThatEndsAreSent) {
  StackedFilter filter{frames(), greeting('x')};
  EXPECT_FALSE(filter.receive(as_bytes(FiveByteFrames::frames("wrong"))));
  EXPECT_EQ(wire_of(filter), FiveByteFrames::frames("go away"));
}

TEST(StackedFilter, ATransparentOuterIsLeftOutWithNothingLost) {
  const std::string stream = "A" + FiveByteFrames::frames("hello world");
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    StackedFilter filter{greeting('A'), frames()};
    std::string wire;
    ASSERT_TRUE(filter.receive(as_bytes(stream.substr(0, cut))));
    std::string plain = plain_of(filter);
    wire += wire_of(filter);
    ASSERT_TRUE(filter.receive(as_bytes(stream.substr(cut))));
    plain += plain_of(filter);
    wire += wire_of(filter);
    EXPECT_EQ(plain, "hello world") << cut;
    filter.send(as_bytes("fine"));
    EXPECT_EQ(wire + wire_of(filter), "A" + FiveByteFrames::frames("fine"));
    EXPECT_FALSE(filter.is_transparent());
  }
}

TEST(StackedFilter, ATransparentInnerIsLeftOutWithNothingLost) {
  const std::string stream = FiveByteFrames::frames("Bhello world");
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    StackedFilter filter{frames(), greeting('B')};
    std::string wire;
    ASSERT_TRUE(filter.receive(as_bytes(stream.substr(0, cut))));
    std::string plain = plain_of(filter);
    wire += wire_of(filter);
    ASSERT_TRUE(filter.receive(as_bytes(stream.substr(cut))));
    plain += plain_of(filter);
    wire += wire_of(filter);
    EXPECT_EQ(plain, "hello world") << cut;
    filter.send(as_bytes("fine"));
    filter.finish();
    EXPECT_EQ(wire + wire_of(filter),
              FiveByteFrames::frames("B") + FiveByteFrames::frames("fine") + std::string(1, '\0'));
    EXPECT_FALSE(filter.is_transparent());
  }
}

TEST(StackedFilter, TwoTransparentOnesAreTransparent) {
  const std::string stream = "ABhello world";
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    StackedFilter filter{greeting('A'), greeting('B')};
    ASSERT_TRUE(filter.receive(as_bytes(stream.substr(0, cut))));
    std::string plain = plain_of(filter);
    std::string wire = wire_of(filter);
    ASSERT_TRUE(filter.receive(as_bytes(stream.substr(cut))));
    EXPECT_TRUE(filter.is_transparent());
    EXPECT_EQ(plain + plain_of(filter), "hello world") << cut;
    filter.send(as_bytes("fine"));
    EXPECT_EQ(wire + wire_of(filter), "ABfine");
  }
}

// ---- in a connection ----

TEST(TransparentFilter, IsLeftOutAndTheStreamGoesOn) {
  FakeWorker worker{0, [](const Address&) { return greeting('x'); }};
  Client client{worker.port()};
  FakeConnection& connection = worker.accept_one();
  client.send("xhello");
  ASSERT_TRUE(worker.run_until([&] { return connection.received == "hello"; }));
  client.send(" world");
  ASSERT_TRUE(worker.run_until([&] { return connection.received == "hello world"; }));
  connection.say("good morning");
  worker.turn();
  EXPECT_EQ(client.read_available(), "xgood morning");
}

TEST(EndedFilter, ItsLastWordsAreSentAndTheCoreIsTold) {
  FakeWorker worker{0, [](const Address&) { return greeting('x'); }};
  Client client{worker.port()};
  FakeConnection& connection = worker.accept_one();
  client.send("wrong");
  ASSERT_TRUE(worker.run_until([&] { return connection.end.has_value(); }));
  EXPECT_EQ(connection.end, broker::TransportEnd::kStreamOver);
  connection.retire();
  std::string text;
  EXPECT_TRUE(worker.run_until([&] {
    text += client.read_available();
    return client.saw_end;
  }));
  EXPECT_EQ(text, "go away");
  EXPECT_FALSE(client.saw_reset);
}

}  // namespace
}  // namespace nightjar::net
