#include "broker/balance.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace nightjar::broker {
namespace {

struct Extremes {
  WorkerIndex idlest;
  double most = 0;
  double least = 0;
};

Extremes extremes_of(std::span<const double> load) {
  const auto [least, most] = std::minmax_element(load.begin(), load.end());
  const auto index_of = [&load](auto at) {
    return WorkerIndex{static_cast<std::uint16_t>(at - load.begin())};
  };
  return {index_of(least), *most, *least};
}

std::vector<bool> active_workers(const Balancer::Figures& figures) {
  std::vector<bool> is_active(figures.busy.size());
  for (const WorkerIndex owner : figures.owners) is_active[owner.value] = true;
  return is_active;
}

}  // namespace

std::vector<ShardStep> Balancer::look(const Figures& figures) {
  if (pause_ > 0) {
    --pause_;
    return {};
  }
  const std::vector<bool> is_active = active_workers(figures);
  const auto active = static_cast<double>(std::count(is_active.begin(), is_active.end(), true));
  const double total = std::accumulate(figures.occupied.begin(), figures.occupied.end(), 0.0);
  const Extremes busy = extremes_of(figures.busy);
  const Extremes occupied = extremes_of(figures.occupied);

  hot_looks_ = occupied.most >= kHot && !is_even(occupied.most, occupied.least) ? hot_looks_ + 1 : 0;
  // Who has no shards is left alone until somebody is hot.
  const bool is_spread = active > 1 && is_active[busy.idlest.value];
  uneven_looks_ =
      is_spread && busy.most >= kWorthEvening && !is_even(busy.most, busy.least) ? uneven_looks_ + 1 : 0;
  idle_looks_ = active > 1 && total < kFitsOne * (active - 1) ? idle_looks_ + 1 : 0;

  std::vector<ShardStep> steps;
  if (hot_looks_ >= kHotLooks) steps = even_out(figures, figures.occupied);
  if (steps.empty() && uneven_looks_ >= kUnevenLooks) steps = even_out(figures, figures.busy);
  if (steps.empty() && idle_looks_ >= kIdleLooks) steps = gather(figures);
  if (!steps.empty()) {
    hot_looks_ = uneven_looks_ = 0;
    pause_ = kPauseLooks;
  }
  return steps;
}

bool Balancer::is_even(double more, double less) {
  return more - less <= kEvenWithin * std::max(more, kWorthEvening);
}

std::vector<ShardStep> Balancer::even_out(const Figures& figures, std::span<const double> load) {
  const Extremes extremes = extremes_of(load);
  std::vector<std::uint16_t> by_load(load.size());
  std::iota(by_load.begin(), by_load.end(), std::uint16_t{0});
  std::sort(by_load.begin(), by_load.end(),
            [&load](std::uint16_t a, std::uint16_t b) { return load[a] > load[b]; });
  for (const std::uint16_t worker : by_load) {
    if (is_even(load[worker], extremes.least)) break;
    std::vector<ShardStep> steps = hand_over(figures, {worker}, extremes.idlest);
    if (!steps.empty()) return steps;
  }
  return {};
}

// Half of the difference goes over: the largest shards that fit, so that few move.
std::vector<ShardStep> Balancer::hand_over(const Figures& figures, WorkerIndex from, WorkerIndex to) {
  std::vector<ShardId> shards;
  std::uint64_t work = 0;
  for (std::uint16_t shard = 0; shard < figures.owners.size(); ++shard) {
    if (figures.owners[shard] != from || figures.work[shard] == 0) continue;
    shards.push_back({shard});
    work += figures.work[shard];
  }
  std::sort(shards.begin(), shards.end(),
            [&](ShardId a, ShardId b) { return figures.work[a.value] > figures.work[b.value]; });
  const double busy = figures.busy[from.value];
  const double difference = busy - figures.busy[to.value];
  if (difference <= 0) return {};
  const double share = difference / (2 * busy);
  auto left = static_cast<std::uint64_t>(std::llround(share * static_cast<double>(work)));
  std::vector<ShardStep> steps;
  std::uint32_t carried = 0;
  for (const ShardId shard : shards) {
    if (figures.work[shard.value] > left) continue;
    if (add_step(steps, {shard, from, to}, figures, carried)) left -= figures.work[shard.value];
  }
  return steps;
}

bool Balancer::add_step(std::vector<ShardStep>& steps, const ShardStep& step, const Figures& figures,
                        std::uint32_t& carried) {
  const std::uint32_t weight = figures.weight[step.shard.value];
  if (steps.size() == kStepsMax || weight > kMovableWeightMax) return false;
  if (!steps.empty() && carried + weight > kWeightMax) return false;
  carried += weight;
  steps.push_back(step);
  return true;
}

// The last worker with shards that can be moved hands them to the one before it.
std::vector<ShardStep> Balancer::gather(const Figures& figures) {
  const std::vector<bool> is_active = active_workers(figures);
  std::vector<std::uint16_t> active;
  for (std::uint16_t worker = 0; worker < is_active.size(); ++worker) {
    if (is_active[worker]) active.push_back(worker);
  }
  std::vector<ShardStep> steps;
  for (std::size_t at = active.size() - 1; at > 0 && steps.empty(); --at) {
    std::uint32_t carried = 0;
    for (std::uint16_t shard = 0; shard < figures.owners.size(); ++shard) {
      if (figures.owners[shard].value != active[at]) continue;
      add_step(steps, {{shard}, {active[at]}, {active[at - 1]}}, figures, carried);
    }
  }
  return steps;
}

}  // namespace nightjar::broker
