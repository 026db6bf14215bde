// Decides which shards move to another worker: idle load gathers on few workers, because waking another one
// costs more than routing; busy load spreads, and stays even. Pure: figures in, moves out. One caller at a
// time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "broker/ids.h"

namespace nightjar::broker {

struct ShardStep {
  ShardId shard;
  WorkerIndex from;
  WorkerIndex to;
  friend bool operator==(const ShardStep&, const ShardStep&) = default;
};

class Balancer {
 public:
  // How often look() should be called while there is traffic.
  static constexpr std::int64_t kLookEveryMs = 100;

  struct Figures {
    // Since the last look: of each worker, the processor time it used (1: a whole core), and the time in
    // which it did not wait for something to do (1: all of it). The second is more where others want the core
    // too.
    std::span<const double> busy;
    std::span<const double> occupied;
    std::span<const WorkerIndex> owners;
    // Messages that each shard received and was delivered since the last look.
    std::span<const std::uint64_t> work;
    // What a move of the shard would carry (Node::weight_of).
    std::span<const std::uint32_t> weight;
  };
  // The moves to begin now; mostly none. Moves of an earlier look have ended, or are refused and asked for
  // again.
  std::vector<ShardStep> look(const Figures& figures);

 private:
  // A worker as occupied as this has little left for a burst.
  static constexpr double kHot = 0.75;
  // Less difference than this is not worth a move.
  static constexpr double kEvenWithin = 0.08;
  // Below this nobody suffers from uneven load.
  static constexpr double kWorthEvening = 0.3;
  // All load together would leave a worker that much air.
  static constexpr double kFitsOne = 0.4;
  // Looks in a row that must agree; a burst shorter than that moves nothing.
  static constexpr int kHotLooks = 2;
  static constexpr int kUnevenLooks = 5;
  static constexpr int kIdleLooks = 20;
  // Looks after a move before the figures mean something again.
  static constexpr int kPauseLooks = 5;
  // In one look, so that no worker packs sessions for long: some milliseconds.
  static constexpr std::size_t kStepsMax = 16;
  static constexpr std::uint32_t kWeightMax = 5'000;
  // A shard this heavy stays where it is: its move would be felt by everybody. Twenty milliseconds.
  static constexpr std::uint32_t kMovableWeightMax = 20'000;

  // Adds a step if it may be taken beside the others; `carried` is their weight.
  static bool add_step(std::vector<ShardStep>& steps, const ShardStep& step, const Figures& figures,
                       std::uint32_t& carried);
  // From the busiest worker that has something to give to the idlest one.
  static std::vector<ShardStep> even_out(const Figures& figures, std::span<const double> load);
  static std::vector<ShardStep> hand_over(const Figures& figures, WorkerIndex from, WorkerIndex to);
  static bool is_even(double more, double less);
  static std::vector<ShardStep> gather(const Figures& figures);

  int hot_looks_ = 0;
  int uneven_looks_ = 0;
  int idle_looks_ = 0;
  int pause_ = 0;
};

}  // namespace nightjar::broker
