#include "broker/publication.h"

#include <utility>

namespace nightjar::broker {
namespace {

std::size_t form_index(const Publication::Form& form) {
  return (form.is_v5 ? 2U : 0U) | (form.qos != mqtt::Qos::kAtMostOnce ? 1U : 0U);
}

// First byte of a PUBLISH that is sent for the first time [section 3.3.1].
std::byte first_byte(const Publication::Form& form) {
  return static_cast<std::byte>((static_cast<unsigned>(mqtt::PacketType::kPublish) << 4) |
                                (static_cast<unsigned>(form.qos) << 1) | (form.retain ? 1U : 0U));
}

void put_packet_id(std::byte* packet, std::size_t topic_bytes, mqtt::PacketId id) {
  std::size_t at = 2;  // behind the first byte and one byte of length, or more
  while ((packet[at - 1] & std::byte{0x80}) != std::byte{}) ++at;
  at += 2 + topic_bytes;
  packet[at] = static_cast<std::byte>(id.value >> 8);
  packet[at + 1] = static_cast<std::byte>(id.value & 0xff);
}

}  // namespace

Publication::Publication(MessageRef message)
    : parts_{.topic = message->topic(),
             .payload = message->payload(),
             .properties = message->properties(),
             .qos = message->qos(),
             .retain = message->retain(),
             .expires = message->expires(),
             .origin = message->origin()},
      message_(std::move(message)) {}

std::size_t Publication::append_to(ByteBuffer& out, const Form& form) {
  ByteView& first = written_[form_index(form)];
  if (first.empty()) {
    const std::size_t before = out.size();
    mqtt::write_publish(out, form.is_v5 ? mqtt::Version::k5 : mqtt::Version::k311,
                        {.qos = form.qos,
                         .retain = form.retain,
                         .packet_id = form.packet_id,
                         .topic = parts_.topic,
                         .properties = parts_.properties,
                         .payload = parts_.payload});
    first = out.view().subspan(before);
    return first.size();
  }
  std::byte* const packet = out.prepare(first.size());
  std::memcpy(packet, first.data(), first.size());
  packet[0] = first_byte(form);
  if (form.qos != mqtt::Qos::kAtMostOnce) put_packet_id(packet, parts_.topic.size(), form.packet_id);
  out.commit(first.size());
  return first.size();
}

}  // namespace nightjar::broker
