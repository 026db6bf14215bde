#include "broker/durable/queue_rows.h"

#include <algorithm>

namespace nightjar::broker {

// One that comes late, in front of what its origin has added already, would make what is noted there wrong if
// the broker died between the two commits.
bool QueueRows::takes(std::uint64_t row, CommitPoint commit) const {
  if (known_->tallies.empty() || row < known_->stretches.back().first) return false;
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
  for (const Tally& tally : known_->tallies) {
    if (tally.commit.origin == commit.origin && tally.commit.number > commit.number) return false;
    messages += tally.record.count;
    bytes += tally.record.bytes;
  }
  return messages < kMessagesMax && bytes < kBytesMax;
}

QueueRows::Stretch& QueueRows::begin_stretch(std::uint64_t row) {
  auto& stretches = known_->stretches;
  if (stretches.empty() || stretches.back().first < row) {
    known_->tallies.clear();
    return stretches.emplace_back(Stretch{.first = row});
  }
  const auto behind = std::upper_bound(stretches.begin(), stretches.end(), row,
                                       [](std::uint64_t at, const Stretch& each) { return at < each.first; });
  return *stretches.insert(behind, Stretch{.first = row});
}

QueueRows::Noted QueueRows::add(std::uint64_t row, const StretchRecord& what, CommitPoint commit) {
  if (!known_) known_ = std::make_unique<Known>();
  const bool is_joining = takes(row, commit);
  Stretch& stretch = is_joining ? known_->stretches.back() : begin_stretch(row);
  stretch.last = std::max({stretch.last, row, what.last_sequence});
  stretch.is_one_row = !is_joining;
  if (&stretch != &known_->stretches.back()) return {stretch.first, what};
  auto tally = std::find_if(known_->tallies.begin(), known_->tallies.end(),
                            [&](const Tally& each) { return each.commit.origin == commit.origin; });
  if (tally == known_->tallies.end()) tally = known_->tallies.emplace(tally);
  tally->commit = commit;
  tally->record += what;
  return {stretch.first, tally->record};
}

void QueueRows::restore(std::uint64_t first, std::uint64_t last) {
  if (!known_) known_ = std::make_unique<Known>();
  known_->stretches.push_back({.first = first, .last = std::max(first, last), .is_one_row = false});
}

std::uint64_t QueueRows::row_before(std::uint64_t sequence) const {
  if (!known_) return sequence;
  const auto& stretches = known_->stretches;
  const auto behind = std::upper_bound(stretches.begin(), stretches.end(), sequence,
                                       [](std::uint64_t at, const Stretch& each) { return at < each.first; });
  return behind == stretches.begin() ? sequence : std::prev(behind)->first;
}

std::optional<QueueRows::Gone> QueueRows::reclaim(std::uint64_t oldest) {
  if (!known_) return std::nullopt;
  auto& stretches = known_->stretches;
  const auto alive = std::find_if(stretches.begin(), stretches.end(),
                                  [oldest](const Stretch& each) { return each.last >= oldest; });
  if (alive == stretches.begin()) return std::nullopt;
  Gone gone{.first = stretches.front().first,
            .is_one_row = alive == std::next(stretches.begin()) && stretches.front().is_one_row};
  for (auto each = stretches.begin(); each != alive; ++each) gone.end = std::max(gone.end, each->last + 1);
  // What is alive may begin among them.
  if (alive != stretches.end()) gone.end = std::min(gone.end, alive->first);
  stretches.erase(stretches.begin(), alive);
  if (stretches.empty()) known_.reset();
  return gone;
}

}  // namespace nightjar::broker
