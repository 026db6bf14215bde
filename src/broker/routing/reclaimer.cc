#include "broker/routing/reclaimer.h"

#include <algorithm>
#include <new>

namespace nightjar::broker {

Reclaimer::~Reclaimer() {
  for (const Retired& retired : retired_) free(retired.block, retired.size);
}

void* Reclaimer::allocate(std::size_t size) {
  void* block = ::operator new(size);
  bytes_.fetch_add(size, std::memory_order_relaxed);
  return block;
}

void Reclaimer::free(void* block, std::size_t size) {
  bytes_.fetch_sub(size, std::memory_order_relaxed);
  ::operator delete(block);
}

void Reclaimer::retire(void* block, std::size_t size) {
  // The block was unlinked before the epoch ends; whoever reads a later epoch sees it unlinked.
  const std::uint64_t epoch = epoch_.fetch_add(1, std::memory_order_seq_cst);
  retired_.push_back({block, size, epoch});
  if (retired_.size() == 1) oldest_retired_.store(epoch, std::memory_order_relaxed);
}

void Reclaimer::collect(std::size_t blocks_max) {
  if (retired_.empty()) return;
  const std::uint64_t horizon = oldest_seen();
  for (; blocks_max > 0 && !retired_.empty() && retired_.front().epoch < horizon; --blocks_max) {
    free(retired_.front().block, retired_.front().size);
    retired_.pop_front();
  }
  oldest_retired_.store(retired_.empty() ? kNothingRetired : retired_.front().epoch,
                        std::memory_order_relaxed);
}

bool Reclaimer::has_collectable() const {
  const std::uint64_t oldest = oldest_retired_.load(std::memory_order_relaxed);
  return oldest != kNothingRetired && oldest < oldest_seen();
}

void Reclaimer::quiescent(WorkerIndex worker) {
  std::atomic<std::uint64_t>& seen = workers_[worker.value].epoch;
  const std::uint64_t before = seen.load(std::memory_order_relaxed);
  const std::uint64_t epoch = epoch_.load(std::memory_order_acquire);
  // Release: what this worker read before comes before the free. Most turns change nothing and write nothing.
  if (before != epoch && before != kOffline) seen.store(epoch, std::memory_order_release);
}

void Reclaimer::offline(WorkerIndex worker) {
  workers_[worker.value].epoch.store(kOffline, std::memory_order_release);
}

void Reclaimer::online(WorkerIndex worker) {
  // A writer that still took this worker for asleep has raised the epoch before it looked. In the single
  // order of these accesses our second load comes after our store, hence after that raise, and we see its
  // blocks unlinked.
  std::atomic<std::uint64_t>& seen = workers_[worker.value].epoch;
  seen.store(epoch_.load(std::memory_order_relaxed), std::memory_order_seq_cst);
  seen.store(epoch_.load(std::memory_order_seq_cst), std::memory_order_release);
}

std::uint64_t Reclaimer::oldest_seen() const {
  std::uint64_t oldest = kOffline;
  for (const Seen& worker : workers_) oldest = std::min(oldest, worker.epoch.load(std::memory_order_seq_cst));
  return oldest;
}

}  // namespace nightjar::broker
