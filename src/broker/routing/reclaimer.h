// Memory that readers on other workers may still look at. A writer unlinks a block, then retires it; it is
// freed when every worker has passed a moment at which it held no pointer (a quiescent state), or sleeps.
//
// Threads: allocate, retire and collect are called under the writer's lock. quiescent, offline and online are
// called by each worker for itself. All the rest by anybody.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "broker/ids.h"

namespace nightjar::broker {

class Reclaimer {
 public:
  // Workers count as awake from the start, so that one that begins late is safe without a word.
  explicit Reclaimer(std::uint16_t workers) : workers_(workers) {}
  // Frees what was retired, whatever the workers say: they must be gone.
  ~Reclaimer();
  Reclaimer(const Reclaimer&) = delete;
  Reclaimer& operator=(const Reclaimer&) = delete;

  // A block of the heap, counted in bytes().
  void* allocate(std::size_t size);
  // Gives back a block that no reader has ever seen, or that none can see any more.
  void free(void* block, std::size_t size);
  // Frees a block later. No pointer to it is left in the structure.
  void retire(void* block, std::size_t size);
  // Frees up to `blocks_max` of the retired blocks that no reader can hold.
  void collect(std::size_t blocks_max);

  // True if collect() would free something. Cheap when nothing is retired.
  [[nodiscard]] bool has_collectable() const;
  [[nodiscard]] std::size_t retired_blocks() const { return retired_.size(); }  // under the writer's lock

  // Does nothing for a worker that is offline.
  void quiescent(WorkerIndex worker);
  void offline(WorkerIndex worker);
  void online(WorkerIndex worker);

  [[nodiscard]] std::size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::uint64_t kOffline = UINT64_MAX;
  static constexpr std::uint64_t kNothingRetired = UINT64_MAX;
  // Two lines: neighbouring lines are fetched in pairs.
  static constexpr std::size_t kNoFalseSharing = 128;

  struct Retired {
    void* block;
    std::size_t size;
    std::uint64_t epoch;  // readers that have seen a later epoch can't reach the block
  };
  struct alignas(kNoFalseSharing) Seen {
    std::atomic<std::uint64_t> epoch{1};  // as of the worker's latest quiescent state
  };

  [[nodiscard]] std::uint64_t oldest_seen() const;

  std::vector<Seen> workers_;
  alignas(kNoFalseSharing) std::atomic<std::uint64_t> epoch_{1};
  std::atomic<std::uint64_t> oldest_retired_{kNothingRetired};
  alignas(kNoFalseSharing) std::deque<Retired> retired_;  // in order of epoch
  std::atomic<std::size_t> bytes_{0};
};

}  // namespace nightjar::broker
