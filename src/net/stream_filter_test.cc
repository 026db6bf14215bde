#include "net/stream_filter.h"

#include <gtest/gtest.h>

#include "net/fake_broker_test.h"
#include "net/five_byte_frames_test.h"

namespace nightjar::net {
namespace {

struct StreamFilterTest : testing::Test {
  FakeConnection& accepted() { return worker.accept_one(); }

  FakeWorker worker{0, [](const Address&) { return std::make_unique<FiveByteFrames>(); }};
  Client client{worker.port()};
};

TEST_F(StreamFilterTest, BothDirectionsPassThroughIt) {
  FakeConnection& connection = accepted();
  client.send(FiveByteFrames::frames("hello world"));
  EXPECT_TRUE(worker.run_until([&] { return connection.received == "hello world"; }));
  EXPECT_EQ(connection.pieces, (std::vector<std::size_t>{5, 5, 1}));
  connection.say("good morning");
  worker.turn();
  EXPECT_EQ(client.read_available(), FiveByteFrames::frames("good morning"));
}

TEST_F(StreamFilterTest, ByteByByteInputGivesTheSameStream) {
  FakeConnection& connection = accepted();
  for (const char c : FiveByteFrames::frames("one byte at a time")) {
    client.send({&c, 1});
    worker.turn(Duration{20});
  }
  EXPECT_TRUE(worker.run_until([&] { return connection.received == "one byte at a time"; }));
}

TEST_F(StreamFilterTest, MayAnswerThePeerWithoutTheCore) {
  FakeConnection& connection = accepted();
  client.send("\xff");
  std::string answer;
  EXPECT_TRUE(worker.run_until([&] { return !(answer += client.read_available()).empty(); }));
  EXPECT_EQ(answer, "\xff");
  EXPECT_EQ(connection.received, "");
}

TEST_F(StreamFilterTest, ABrokenStreamEndsTheConnection) {
  FakeConnection& connection = accepted();
  client.send("\x09");
  EXPECT_TRUE(worker.run_until([&] { return connection.end.has_value(); }));
  EXPECT_EQ(connection.end, broker::TransportEnd::kStreamOver);
}

TEST_F(StreamFilterTest, APauseStopsBetweenTwoPieces) {
  FakeConnection& connection = accepted();
  connection.after_bytes = [](FakeConnection& c) { c.transport->pause_reading(); };
  client.send(FiveByteFrames::frames("firstsecond"));
  EXPECT_TRUE(worker.run_until([&] { return connection.received == "first"; }));
  EXPECT_FALSE(worker.turn(Duration{10}));
  connection.transport->resume_reading();
  EXPECT_TRUE(worker.run_until([&] { return connection.received == "firstsecon"; }));
}

// A filter whose input grows: each byte of the wire is a run of plain ones.
class Inflating final : public StreamFilter {
 public:
  static constexpr std::size_t kRun = 10'000;

  bool receive(ByteView wire) override {
    runs_ += wire.size();
    return true;
  }
  [[nodiscard]] bool has_plain() const override { return runs_ != 0; }
  ByteView next_plain() override {
    --runs_;
    return as_bytes(run_);
  }
  void send(ByteView plain) override { wire_.append(plain); }
  void finish() override {}
  ByteBuffer& wire() override { return wire_; }

 private:
  std::string run_ = std::string(kRun, 'x');
  std::size_t runs_ = 0;
  ByteBuffer wire_;
};

TEST(InflatingFilter, DoesNotFillATurnWithOneConnection) {
  FakeWorker worker{0, [](const Address&) { return std::make_unique<Inflating>(); }};
  Client client{worker.port()};
  FakeConnection& connection = worker.accept_one();
  client.send(std::string(100, 'x'));
  ASSERT_TRUE(worker.run_until([&] { return !connection.received.empty(); }));
  EXPECT_LE(connection.received.size(), kReadBufferBytes + Inflating::kRun);
  EXPECT_TRUE(worker.run_until([&] { return connection.received.size() == 100 * Inflating::kRun; }));
}

TEST_F(StreamFilterTest, BufferedBytesMoveWithTheConnection) {
  FakeConnection& connection = accepted();
  FakeWorker other;
  // The core leaves at the first piece, with two whole frames and a part of one inside the filter.
  connection.after_bytes = [](FakeConnection& c) {
    if (c.pieces.size() == 1) c.transport->detach();
  };
  const std::string frames = FiveByteFrames::frames("CONNEand the rest of it");
  client.send(frames.substr(0, 15));
  EXPECT_TRUE(worker.run_until([&] { return connection.received == "CONNE"; }));
  connection.say("CONNACK");

  other.take_over(worker);
  EXPECT_EQ(connection.received, "CONNE") << "nothing is delivered inside attach";
  EXPECT_TRUE(other.run_until([&] { return connection.received == "CONNEand t"; }));
  EXPECT_EQ(client.read_available(), FiveByteFrames::frames("CONNACK"));
  client.send(frames.substr(15));
  EXPECT_TRUE(other.run_until([&] { return connection.received == "CONNEand the rest of it"; }));
}

TEST_F(StreamFilterTest, RetireSendsItsLastWords) {
  FakeConnection& connection = accepted();
  connection.say("bye");
  connection.retire();
  std::string text;
  EXPECT_TRUE(worker.run_until([&] {
    text += client.read_available();
    return client.saw_end;
  }));
  EXPECT_EQ(text, FiveByteFrames::frames("bye") + std::string(1, '\0'));
}

}  // namespace
}  // namespace nightjar::net
