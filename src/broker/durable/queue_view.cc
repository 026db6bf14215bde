#include "broker/durable/queue_view.h"

namespace nightjar::broker {

QueueView::QueueView(const PacketIdsRecord& record) : waiting_from_(record.waiting_from) {
  for (const std::uint64_t sequence : record.gone) exceptions_[sequence] = EntryState::kDone;
  for (const PacketIdsRecord::Sent& sent : record.sent) {
    exceptions_[sent.sequence] = sent.is_released ? EntryState::kDone : EntryState::kInFlight;
  }
}

QueueView::QueueView(const GroupRecord& record) : waiting_from_(record.next_sequence) {
  for (const std::uint64_t sequence : record.live) exceptions_[sequence] = EntryState::kWaiting;
}

EntryState QueueView::state_of(const QueueEntry& entry) const {
  if (const auto found = exceptions_.find(entry.sequence); found != exceptions_.end()) return found->second;
  if (entry.sequence < waiting_from_) return EntryState::kDone;
  return entry.id.value == 0 ? EntryState::kWaiting : EntryState::kInFlight;
}

}  // namespace nightjar::broker
