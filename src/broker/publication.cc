#include "broker/publication.h"

namespace nightjar::broker {
namespace {

constexpr std::size_t kQosShift = 1;  // in the first byte of a PUBLISH

std::size_t form_index(const Publication::Form& form) {
  return (form.is_v5 ? 4U : 0U) | (form.qos != mqtt::Qos::kAtMostOnce ? 2U : 0U) | (form.retain ? 1U : 0U);
}

}  // namespace

Publication::Publication(const MessageRef& message)
    : parts_{.topic = message->topic(),
             .payload = message->payload(),
             .properties = message->properties(),
             .qos = message->qos(),
             .retain = message->retain(),
             .expires = message->expires(),
             .origin = message->origin()},
      message_(message) {}

std::size_t Publication::append_to(ByteBuffer& out, const Form& form) {
  ByteView& first = written_[form_index(form)];
  const bool has_id = form.qos != mqtt::Qos::kAtMostOnce;
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
  std::byte* const at = out.prepare(first.size());
  std::memcpy(at, first.data(), first.size());
  if (has_id) {
    constexpr auto kQosBits = std::byte{0x3 << kQosShift};
    at[0] = (at[0] & ~kQosBits) | static_cast<std::byte>(static_cast<unsigned>(form.qos) << kQosShift);
    std::size_t id_at = 2;  // behind the first byte and one byte of length…
    while ((at[id_at - 1] & std::byte{0x80}) != std::byte{}) ++id_at;  // …or more
    id_at += 2 + parts_.topic.size();
    at[id_at] = static_cast<std::byte>(form.packet_id.value >> 8);
    at[id_at + 1] = static_cast<std::byte>(form.packet_id.value & 0xff);
  }
  out.commit(first.size());
  return first.size();
}

}  // namespace nightjar::broker
