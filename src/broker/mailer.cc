#include "broker/mailer.h"

#include <utility>

namespace nightjar::broker {

MailBatch& Mailer::batch(WorkerIndex to, const std::shared_ptr<Commit>& commit) {
  std::unique_ptr<MailBatch>& slot = outgoing_[to.value];
  // A batch belongs to one commit: mail of another one follows in a batch of its own.
  if (slot && commit && slot->commit && slot->commit != commit)
    peers_.post(self_, to, std::exchange(slot, nullptr));
  if (!slot) slot = empty_batch();
  if (commit && !slot->commit) {
    commit->add_part(to);
    slot->commit = commit;
  }
  return *slot;
}

std::unique_ptr<MailBatch> Mailer::empty_batch() {
  std::unique_ptr<MailBatch> slot;
  if (spares_.empty()) {
    slot = std::make_unique<MailBatch>();
  } else {
    slot = std::move(spares_.back());
    spares_.pop_back();
  }
  slot->from = self_;
  return slot;
}

void Mailer::recycle(std::unique_ptr<MailBatch> emptied) {
  if (spares_.size() >= kSparesMax || emptied->memory_bytes() > kSpareBytesMax) return;
  emptied->clear();
  spares_.push_back(std::move(emptied));
}

void Mailer::deliver_small(WorkerIndex to, const Message::Parts& parts, RouteVersion version,
                           std::span<const FilterId> filters, const std::shared_ptr<Commit>& commit) {
  MailBatch& target = batch(to, commit);
  const auto count = [](std::size_t n) { return static_cast<std::uint32_t>(n); };
  target.small.push_back({.bytes_at = count(target.bytes.size()),
                          .payload_bytes = count(parts.payload.size()),
                          .properties_bytes = count(parts.properties.size()),
                          .topic_bytes = static_cast<std::uint16_t>(parts.topic.size()),
                          .qos = parts.qos,
                          .expires = parts.expires,
                          .origin = parts.origin,
                          .version = version,
                          .first_filter = count(target.filters.size()),
                          .filter_count = count(filters.size())});
  target.bytes.append(parts.topic);
  target.bytes.append(parts.properties);
  target.bytes.append(parts.payload);
  target.filters.insert(target.filters.end(), filters.begin(), filters.end());
  SmallRun* run = target.mail.empty() ? nullptr : std::get_if<SmallRun>(&target.mail.back());
  if (run == nullptr) {
    run = &std::get<SmallRun>(target.mail.emplace_back(SmallRun{.first = count(target.small.size() - 1)}));
  }
  ++run->count;
}

}  // namespace nightjar::broker
