// Packets of all types and versions. Input: version, sender, then bytes as they arrive on a connection.
// An accepted packet is written and read again and must stay the same.
#include "mqtt/reader.h"

#include "fuzz_input.h"
#include "mqtt/any_packet.h"
#include "mqtt/topic.h"
#include "mqtt/utf8.h"

using namespace nightjar;
using namespace nightjar::mqtt;
using nightjar::fuzz::require;

namespace {

constexpr std::size_t kPacketBytesMax = 1 << 16;

void check_violation(const Violation& violation) {
  require(violation.code >= ReasonCode::kUnspecifiedError, "a violation has the code of an error");
  require(!violation.why.empty(), "a violation names its rule");
  require(to_string(violation.code) != "Reserved", "a violation's code is one of the standard");
}

// What every accepted PUBLISH promises to the broker.
void check_publish(const Publish& packet) {
  require(is_valid_utf8(packet.topic), "the topic is UTF-8");
  const bool has_alias = packet.properties.has(PropertyId::kTopicAlias);
  require(is_valid_topic_name(packet.topic) || (packet.topic.empty() && has_alias), "the topic is a name");
  require((packet.qos == Qos::kAtMostOnce) == (packet.packet_id.value == 0), "a packet id goes with a QoS");
  require(!packet.dup || packet.qos != Qos::kAtMostOnce, "no DUP at QoS 0");
}

void check_written_again(AnyPacket& packet, Version version, Sender sender) {
  if (auto* connect = std::get_if<Connect>(&packet)) connect->is_bridge = false;  // has no written form
  ByteBuffer written;
  write_any(written, version, packet);
  const FrameResult frame = next_frame(written.view(), written.size(), version);
  require(frame.state == FrameState::kComplete, "a written packet is whole");
  require(frame.frame.size == written.size(), "a written packet is one packet");
  Version read_version = version;
  const auto again = read_any(frame.frame, read_version, sender);
  require(again.has_value(), "a written packet is valid");
  require(read_version == version, "a written packet has the version it was written for");
  require(to_text(*again) == to_text(packet), "a packet stays the same when it is written and read");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input{data, size};
  Version version = input.version();
  const Sender sender = input.sender();
  ByteView rest = input.rest();
  for (;;) {
    const FrameResult result = next_frame(rest, kPacketBytesMax, version);
    if (result.state == FrameState::kNeedMore) {
      require(result.needed == 0 || result.needed > rest.size(), "more is needed than is there");
      return 0;
    }
    if (result.state == FrameState::kInvalid) {
      check_violation(result.violation);
      return 0;
    }
    require(result.frame.size <= rest.size() && result.frame.size <= kPacketBytesMax,
            "the frame was received");
    auto packet = read_any(result.frame, version, sender);
    if (!packet) {
      check_violation(packet.error());
      return 0;
    }
    if (const auto* publish = std::get_if<Publish>(&*packet)) check_publish(*publish);
    check_written_again(*packet, version, sender);
    rest = rest.subspan(result.frame.size);
  }
}
