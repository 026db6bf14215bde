// What a store has done since its start, for operators. Counted by the threads of the store, read by any.
#pragma once

#include <atomic>
#include <cstdint>

namespace nightjar::store {

struct StoreFigures {
  std::uint64_t commits = 0;          // of workers
  std::uint64_t writes = 0;           // of many commits at a time, each with one fsync in the class "fsync"
  std::uint64_t written_bytes = 0;    // by these, to the log
  std::uint64_t write_us = 0;         // time that they took
  std::uint64_t flushed_bytes = 0;    // from memory to tables and files of bodies
  std::uint64_t compacted_bytes = 0;  // written again, when tables are merged or bodies moved
  std::uint64_t compactions_running = 0;
  std::uint64_t stalls = 0;    // times that writes began to wait for flushes or compactions
  std::uint64_t outages = 0;   // times that it could not be written
  std::uint64_t refusing = 0;  // 1 during an outage
};

class StoreCounters {
 public:
  using Counter = std::atomic<std::uint64_t>;

  Counter commits{0};
  Counter writes{0};
  Counter written_bytes{0};
  Counter write_us{0};
  Counter flushed_bytes{0};
  Counter compacted_bytes{0};
  Counter compactions_running{0};
  Counter stalls{0};
  Counter outages{0};

  static void add(Counter& counter, std::uint64_t count) {
    counter.fetch_add(count, std::memory_order_relaxed);
  }
  // `refusing` is left to whoever knows it.
  [[nodiscard]] StoreFigures figures() const {
    const auto get = [](const Counter& counter) { return counter.load(std::memory_order_relaxed); };
    return {.commits = get(commits),
            .writes = get(writes),
            .written_bytes = get(written_bytes),
            .write_us = get(write_us),
            .flushed_bytes = get(flushed_bytes),
            .compacted_bytes = get(compacted_bytes),
            .compactions_running = get(compactions_running),
            .stalls = get(stalls),
            .outages = get(outages)};
  }
};

}  // namespace nightjar::store
