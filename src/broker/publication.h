// A message on its way from a PUBLISH to its receivers, within one turn: views into the bytes it came in. A
// Message is allocated only when somebody has to keep it, and the packet is encoded once for all receivers
// that get the same bytes. Lives on one worker's stack.
#pragma once

#include <array>
#include <cstddef>

#include "base/bytes.h"
#include "broker/message.h"
#include "mqtt/types.h"
#include "mqtt/writer.h"

namespace nightjar::broker {

class Publication {
 public:
  // `parts` stay valid as long as the publication.
  explicit Publication(const Message::Parts& parts) : parts_(parts) {}
  explicit Publication(MessageRef message);

  [[nodiscard]] const Message::Parts& parts() const { return parts_; }
  [[nodiscard]] std::string_view topic() const { return parts_.topic; }
  [[nodiscard]] mqtt::Qos qos() const { return parts_.qos; }
  [[nodiscard]] bool retain() const { return parts_.retain; }
  [[nodiscard]] MonoTime expires() const { return parts_.expires; }
  [[nodiscard]] std::uint64_t origin() const { return parts_.origin; }
  // Topic, properties and payload: what queue limits count.
  [[nodiscard]] std::size_t size() const {
    return parts_.topic.size() + parts_.properties.size() + parts_.payload.size();
  }
  [[nodiscard]] std::size_t payload_bytes() const { return parts_.payload.size(); }

  // The message to keep; allocated by the first call.
  const MessageRef& message() {
    if (!message_) message_ = Message::make(parts_);
    return message_;
  }
  // The same for the last one who keeps it.
  MessageRef take_message() {
    message();
    return std::move(message_);
  }

  // How one receiver gets the PUBLISH: everything that the bytes depend on.
  struct Form {
    bool is_v5 = false;
    mqtt::Qos qos = mqtt::Qos::kAtMostOnce;
    bool retain = false;
    mqtt::PacketId packet_id{};
  };
  // Appends the packet to `out`; returns its size. A second packet of the same form is a copy of the first,
  // which must still be where it was written.
  std::size_t append_to(ByteBuffer& out, const Form& form);
  // Something else may be written where the first packets are, which moves them: the next one is encoded
  // anew.
  void forget_written() { written_ = {}; }

 private:
  Message::Parts parts_;
  MessageRef message_;
  // The first packet of each form, where it was written: by version, and with a packet id or none. QoS and
  // RETAIN are bits of its first byte.
  std::array<ByteView, 4> written_{};
};

}  // namespace nightjar::broker
