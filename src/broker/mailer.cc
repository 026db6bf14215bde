#include "broker/mailer.h"

#include <utility>

namespace nightjar::broker {
namespace {

// The run that the batch ends with has one more, which lies at `place`; or a run begins with it.
template <typename Run>
void prolong(MailBatch& batch, std::size_t place) {
  Run* run = batch.mail.empty() ? nullptr : std::get_if<Run>(&batch.mail.back());
  if (run == nullptr)
    run = &std::get<Run>(batch.mail.emplace_back(Run{.first = static_cast<std::uint32_t>(place)}));
  ++run->count;
}

}  // namespace

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
  target.small.push_back({.message = target.add(parts),
                          .version = version,
                          .first_filter = static_cast<std::uint32_t>(target.filters.size()),
                          .filter_count = static_cast<std::uint32_t>(filters.size())});
  target.filters.insert(target.filters.end(), filters.begin(), filters.end());
  prolong<SmallRun>(target, target.small.size() - 1);
}

void Mailer::assign_small(WorkerIndex to, const MemberName& member, const Message::Parts& parts,
                          std::uint64_t sequence) {
  MailBatch& target = batch(to, nullptr);
  target.assigned.push_back(
      {.message = target.add(parts), .member = target.place_of(member), .sequence = sequence});
  prolong<AssignedRun>(target, target.assigned.size() - 1);
}

void Mailer::settle(WorkerIndex to, const MemberName& member, std::uint64_t sequence) {
  MailBatch& target = batch(to, nullptr);
  target.settled.push_back({.member = target.place_of(member), .sequence = sequence});
  prolong<SettledRun>(target, target.settled.size() - 1);
}

}  // namespace nightjar::broker
