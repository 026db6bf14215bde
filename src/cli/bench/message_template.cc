#include "cli/bench/message_template.h"

#include <vector>

#include "mqtt/varint.h"
#include "mqtt/writer.h"

namespace nightjar::cli::bench {

MessageTemplate::MessageTemplate(const MessageForm& form) : payload_bytes_(form.payload_bytes) {
  std::vector<std::byte> payload(form.payload_bytes);
  fill_pattern(payload.data(), payload.size());
  mqtt::write_publish(packet_, form.version,
                      {.qos = form.qos,
                       .retain = form.retain,
                       .packet_id = mqtt::PacketId{1},
                       .topic = form.topic,
                       .payload = payload});
  payload_at_ = packet_.size() - form.payload_bytes;
  const bool has_id = form.qos != mqtt::Qos::kAtMostOnce;
  const std::size_t properties_bytes = form.version == mqtt::Version::k5 ? 1 : 0;
  packet_id_at_ = has_id ? payload_at_ - properties_bytes - 2 : 0;
  topic_at_ = payload_at_ - properties_bytes - (has_id ? 2 : 0) - form.topic.size();
}

}  // namespace nightjar::cli::bench
