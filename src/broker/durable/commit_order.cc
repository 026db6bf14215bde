#include "broker/durable/commit_order.h"

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
  for (Line& line : lines_) {
    for (Waiting& waiting : line.waiting) {
      if (waiting.state == State::kOpen) break;
      if (waiting.state != State::kReady || waiting.is_empty) continue;
      waiting.state = State::kBeingWritten;
      taken.push_back(waiting.commit);
    }
  }
  return taken;
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
