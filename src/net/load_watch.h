// Looks now and then how busy each worker is and begins the shard moves that the Balancer asks for. Driven by
// the turns of the workers themselves, so an idle broker does nothing. tick() may be called by every worker.
#pragma once

#include <atomic>
#include <cstdint>
#include <ctime>
#include <vector>

#include "base/clock.h"
#include "broker/balance.h"
#include "broker/node.h"
#include "net/mail_room.h"

namespace nightjar::net {

class LoadWatch {
 public:
  LoadWatch(broker::Node& node, MailRoom& mail);

  // By the worker's thread, before its first turn: whose processor time is read.
  void watch_this_thread(broker::WorkerIndex worker);
  // Once a turn.
  void tick(MonoTime now) {
    if (is_on_ && now.ms >= next_ms_.load(std::memory_order_relaxed)) look(now);
  }

 private:
  void look(MonoTime now);
  void read_busy(MonoTime now);
  void read_work();

  broker::Node& node_;
  MailRoom& mail_;
  const bool is_on_;
  std::atomic<std::int64_t> next_ms_{0};
  std::vector<std::atomic<clockid_t>> clocks_;  // 0 until the worker runs

  // Of whoever looks, one at a time.
  std::atomic_flag is_looking_;
  MonoTime last_look_{};
  std::vector<std::int64_t> cpu_ns_;
  std::vector<std::uint32_t> counted_;  // by worker and shard
  std::vector<double> busy_;
  std::vector<broker::WorkerIndex> owners_;
  std::vector<std::uint64_t> work_;
  broker::Balancer balancer_;
};

}  // namespace nightjar::net
