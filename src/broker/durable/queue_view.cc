#include "broker/durable/queue_view.h"

#include <algorithm>
#include <utility>

namespace nightjar::broker {

QueueView::QueueView(PacketIdsRecord record)
    : waiting_from_(record.waiting_from), exceptions_(std::move(record.gone)) {
  for (const PacketIdsRecord::Sent& sent : record.sent) {
    sent_[sent.sequence] = sent.is_released ? EntryState::kDone : EntryState::kInFlight;
  }
}

QueueView::QueueView(GroupRecord record)
    : waiting_from_(record.next_sequence), exceptions_(std::move(record.live)), is_group_(true) {}

EntryState QueueView::state_of(std::uint64_t row, const QueueEntry& entry) const {
  if (const auto found = sent_.find(entry.sequence); found != sent_.end()) return found->second;
  const bool is_exception = std::binary_search(exceptions_.begin(), exceptions_.end(), entry.sequence);
  const bool is_live = is_group_ ? row >= waiting_from_ || entry.sequence >= waiting_from_ || is_exception
                                 : entry.sequence >= waiting_from_ && !is_exception;
  if (!is_live) return EntryState::kDone;
  return entry.id.value == 0 ? EntryState::kWaiting : EntryState::kInFlight;
}

}  // namespace nightjar::broker
