#include "broker/balance.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace nightjar::broker {
namespace {

WorkerIndex index_of(std::span<const double> busy, std::span<const double>::iterator at) {
  return {static_cast<std::uint16_t>(at - busy.begin())};
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
  const auto busiest = std::max_element(figures.busy.begin(), figures.busy.end());
  const auto idlest = std::min_element(figures.busy.begin(), figures.busy.end());
  const double total = std::accumulate(figures.busy.begin(), figures.busy.end(), 0.0);
  const double difference = *busiest - *idlest;
  const bool is_even = difference <= kEvenWithin * std::max(*busiest, kWorthEvening);

  hot_looks_ = *busiest >= kHot && !is_even ? hot_looks_ + 1 : 0;
  // Who has no shards is left alone until somebody is hot.
  const bool is_spread = active > 1 && is_active[index_of(figures.busy, idlest).value];
  uneven_looks_ = is_spread && *busiest >= kWorthEvening && !is_even ? uneven_looks_ + 1 : 0;
  idle_looks_ = active > 1 && total < kFitsOne * (active - 1) ? idle_looks_ + 1 : 0;

  std::vector<ShardStep> steps;
  if (hot_looks_ >= kHotLooks || uneven_looks_ >= kUnevenLooks) {
    steps = even_out(figures, index_of(figures.busy, busiest), index_of(figures.busy, idlest));
  } else if (idle_looks_ >= kIdleLooks) {
    steps = gather(figures);
  }
  if (!steps.empty()) {
    hot_looks_ = uneven_looks_ = 0;
    pause_ = kPauseLooks;
  }
  return steps;
}

// Half of the difference goes over: the largest shards that fit, so that few move.
std::vector<ShardStep> Balancer::even_out(const Figures& figures, WorkerIndex busiest,
                                          WorkerIndex idlest) const {
  std::vector<ShardId> shards;
  std::uint64_t work = 0;
  for (std::uint16_t shard = 0; shard < figures.owners.size(); ++shard) {
    if (figures.owners[shard] != busiest || figures.work[shard] == 0) continue;
    shards.push_back({shard});
    work += figures.work[shard];
  }
  std::sort(shards.begin(), shards.end(),
            [&](ShardId a, ShardId b) { return figures.work[a.value] > figures.work[b.value]; });
  const double busy = figures.busy[busiest.value];
  const double share = (busy - figures.busy[idlest.value]) / (2 * busy);
  auto left = static_cast<std::uint64_t>(std::llround(share * static_cast<double>(work)));
  std::vector<ShardStep> steps;
  for (const ShardId shard : shards) {
    if (figures.work[shard.value] > left || steps.size() == kStepsMax) continue;
    left -= figures.work[shard.value];
    steps.push_back({shard, busiest, idlest});
  }
  return steps;
}

// The last worker with shards hands them to the one before it.
std::vector<ShardStep> Balancer::gather(const Figures& figures) const {
  const std::vector<bool> is_active = active_workers(figures);
  std::vector<std::uint16_t> active;
  for (std::uint16_t worker = 0; worker < is_active.size(); ++worker) {
    if (is_active[worker]) active.push_back(worker);
  }
  const WorkerIndex last{active.back()};
  const WorkerIndex before{active[active.size() - 2]};
  std::vector<ShardStep> steps;
  for (std::uint16_t shard = 0; shard < figures.owners.size() && steps.size() < kStepsMax; ++shard) {
    if (figures.owners[shard] == last) steps.push_back({{shard}, last, before});
  }
  return steps;
}

}  // namespace nightjar::broker
