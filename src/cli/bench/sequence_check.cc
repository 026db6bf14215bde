#include "cli/bench/sequence_check.h"

#include <algorithm>

namespace nightjar::cli::bench {

Arrival SequenceTrack::take_other(std::uint64_t sequence) {
  if (!gaps_) gaps_ = std::make_unique<std::deque<Gap>>();
  if (sequence > next_) {
    if (gaps_->size() == kGapsMax) gaps_->pop_front();
    gaps_->push_back({next_, sequence});
    next_ = sequence + 1;
    return Arrival::kInOrder;
  }
  const auto gap = std::partition_point(gaps_->begin(), gaps_->end(),
                                        [&](const Gap& each) { return each.end <= sequence; });
  if (gap == gaps_->end() || sequence < gap->begin) return Arrival::kDuplicate;
  const Gap before{gap->begin, sequence};
  const Gap behind{sequence + 1, gap->end};
  auto at = gaps_->erase(gap);
  if (behind.begin < behind.end) at = gaps_->insert(at, behind);
  if (before.begin < before.end) gaps_->insert(at, before);
  return Arrival::kLate;
}

bool SequenceSet::insert(std::uint64_t sequence) {
  if (sequence < first_) return false;
  const std::uint64_t word = (sequence - first_) / 64;
  if (word >= words_.size()) words_.resize(word + 1);
  const std::uint64_t bit = std::uint64_t{1} << (sequence % 64);
  if ((words_[word] & bit) != 0) return false;
  words_[word] |= bit;
  while (!words_.empty() && words_.front() == UINT64_MAX) {
    words_.pop_front();
    first_ += 64;
  }
  return true;
}

}  // namespace nightjar::cli::bench
