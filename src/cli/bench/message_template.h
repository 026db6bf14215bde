// The PUBLISH packets of one stream: encoded once, then copied and stamped with what differs. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/bytes.h"
#include "cli/bench/identity.h"
#include "mqtt/types.h"

namespace nightjar::cli::bench {

struct MessageForm {
  mqtt::Version version = mqtt::Version::k311;
  mqtt::Qos qos = mqtt::Qos::kAtMostOnce;
  bool retain = false;
  std::string_view topic{};
  std::size_t payload_bytes = 64;  // at least kIdentityBytes
};

class MessageTemplate {
 public:
  explicit MessageTemplate(const MessageForm& form);

  [[nodiscard]] std::size_t size() const { return packet_.size(); }
  // Writes size() bytes at `at`. `packet_id` matters at QoS 1 and 2 only.
  void write(std::byte* at, const Identity& identity, std::uint32_t run, std::uint16_t packet_id) const {
    std::memcpy(at, packet_.view().data(), packet_.size());
    if (packet_id_at_ != 0) {
      at[packet_id_at_] = static_cast<std::byte>(packet_id >> 8U);
      at[packet_id_at_ + 1] = static_cast<std::byte>(packet_id & 0xFFU);
    }
    write_identity(at + payload_at_, payload_bytes_, identity, run);
  }
  // A topic as long as that of the form, for the next packets.
  void set_topic(std::string_view topic) {
    std::memcpy(packet_.data() + topic_at_, topic.data(), topic.size());
  }

 private:
  ByteBuffer packet_;
  std::size_t payload_bytes_;
  std::size_t payload_at_;
  std::size_t topic_at_;
  std::size_t packet_id_at_;  // 0: none
};

}  // namespace nightjar::cli::bench
