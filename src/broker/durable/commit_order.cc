#include "broker/durable/commit_order.h"

#include <algorithm>

namespace nightjar::broker {

void CommitOrder::announce(std::shared_ptr<Commit> commit) {
  const ShortLockGuard guard(lock_);
  Line& line = lines_[commit->at().origin.value];
  line.waiting.push_back({.commit = std::move(commit)});
}

CommitOrder::Ready CommitOrder::ready(const Commit& commit, WorkerSet& to_tell) {
  const bool is_empty = commit.empty();
  const CommitPoint at = commit.at();  // advance() may free the commit
  const WorkerSet origin = bit(at.origin);
  const WorkerSet caller = commit.workers() == origin ? origin : WorkerSet{0};
  const ShortLockGuard guard(lock_);
  Waiting& place = place_of(commit);
  place.state = State::kReady;
  place.is_empty = is_empty;
  if (!is_empty) return Ready::kIsToWrite;
  Line& line = lines_[at.origin.value];
  // Empty ones behind it, which waited only for it, go with it, and their workers know of nothing.
  to_tell |= advance(line) & ~caller;
  return line.committed.load(std::memory_order_relaxed) >= at.number ? Ready::kIsDurable : Ready::kWaits;
}

std::vector<std::shared_ptr<Commit>> CommitOrder::take() {
  std::vector<std::shared_ptr<Commit>> taken;
  const ShortLockGuard guard(lock_);
  // One that was taken may be what another line waits for.
  for (bool has_more = true; has_more;) {
    const std::size_t before = taken.size();
    is_blocked_.store(false, std::memory_order_relaxed);
    for (Line& line : lines_) take_from(line, taken);
    has_more = taken.size() != before;
  }
  return taken;
}

void CommitOrder::take_from(Line& line, std::vector<std::shared_ptr<Commit>>& taken) {
  bool is_behind_open = false;
  for (Waiting& waiting : line.waiting) {
    is_behind_open |= waiting.state == State::kOpen;
    if (waiting.state != State::kReady || waiting.is_empty) continue;
    if (is_behind_open || !std::all_of(waiting.commit->earlier().begin(), waiting.commit->earlier().end(),
                                       [this](const CommitPoint& point) { return is_before(point); })) {
      is_blocked_.store(true, std::memory_order_release);
      return;
    }
    waiting.state = State::kBeingWritten;
    taken.push_back(waiting.commit);
  }
}

// Durable, or to be written in front of whatever is taken now.
bool CommitOrder::is_before(const CommitPoint& point) const {
  const Line& line = lines_[point.origin.value];
  const CommitNumber committed = line.committed.load(std::memory_order_relaxed);
  if (point.number <= committed) return true;
  const Waiting& waiting = line.waiting[point.number - committed - 1];
  return waiting.state == State::kBeingWritten || waiting.state == State::kWritten ||
         (waiting.state == State::kReady && waiting.is_empty);
}

WorkerSet CommitOrder::written(const std::vector<std::shared_ptr<Commit>>& commits) {
  WorkerSet waiting = 0;
  const ShortLockGuard guard(lock_);
  for (const auto& commit : commits) place_of(*commit).state = State::kWritten;
  for (Line& line : lines_) waiting |= advance(line);
  return waiting;
}

void CommitOrder::unwritten(const std::vector<std::shared_ptr<Commit>>& commits) {
  const ShortLockGuard guard(lock_);
  for (const auto& commit : commits) place_of(*commit).state = State::kReady;
}

CommitOrder::Waiting& CommitOrder::place_of(const Commit& commit) {
  Line& line = lines_[commit.at().origin.value];
  return line.waiting[commit.at().number - line.committed.load(std::memory_order_relaxed) - 1];
}

WorkerSet CommitOrder::advance(Line& line) {
  WorkerSet workers = 0;
  while (!line.waiting.empty()) {
    const Waiting& first = line.waiting.front();
    const bool is_through =
        first.state == State::kWritten || (first.state == State::kReady && first.is_empty);
    if (!is_through) break;
    workers |= first.commit->workers();
    line.committed.store(first.commit->at().number, std::memory_order_release);
    line.waiting.pop_front();
  }
  return workers;
}

}  // namespace nightjar::broker
