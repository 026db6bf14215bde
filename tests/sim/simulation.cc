#include "tests/sim/simulation.h"

#include <fmt/format.h>

#include <memory>
#include <vector>

#include "broker/worker_state.h"
#include "tests/sim/actor.h"
#include "tests/sim/model.h"
#include "tests/support/world.h"

namespace nightjar::sim {
namespace {

using mqtt::Version;

testing::WorldOptions shape(std::uint64_t seed) {
  testing::WorldOptions options{
      .workers = static_cast<std::uint16_t>(1 + seed % 4), .seed = seed, .is_chaotic = true};
  options.node.sys_interval = Duration{0};
  options.node.shards = 16;
  constexpr broker::SharedStrategy kStrategies[] = {
      broker::SharedStrategy::kLeastInFlight, broker::SharedStrategy::kRoundRobin,
      broker::SharedStrategy::kSticky, broker::SharedStrategy::kHashByClient,
      broker::SharedStrategy::kHashByTopic};
  options.node.shared_strategy = kStrategies[seed % 5];
  if (seed % 3 == 0) {
    // Small queues, so that they fill.
    constexpr broker::OverflowPolicy kPolicies[] = {
        broker::OverflowPolicy::kDropNew, broker::OverflowPolicy::kDropOld, broker::OverflowPolicy::kReject,
        broker::OverflowPolicy::kDisconnect};
    options.listener.queue.messages_max = 15;
    options.listener.queue.overflow = kPolicies[seed / 3 % 4];
  }
  return options;
}

std::vector<Role> cast() {
  return {{.id = "watcher", .is_watcher = true},
          {.id = "anchor", .expiry_s = 100'000, .is_member = true, .is_anchor = true},
          {.id = "member311", .version = Version::k311, .expiry_s = 600'000, .is_member = true},
          {.id = "member5", .expiry_s = 100'000, .is_member = true, .receive_maximum = 2},
          {.id = "keeper", .expiry_s = 60, .receive_maximum = 3},
          {.id = "slow", .expiry_s = 60, .is_slow = true, .receive_maximum = 10},
          {.id = "keeper311", .version = Version::k311, .expiry_s = 600'000},
          {.id = "clean5"},
          {.id = "clean311", .version = Version::k311}};
}

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed) : world_(shape(seed)), stage_{world_, model_, 0, 0, {}} {
    model_.has_small_queues = seed % 3 == 0;
    const broker::OverflowPolicy overflow = shape(seed).listener.queue.overflow;
    model_.may_refuse = overflow == broker::OverflowPolicy::kReject;
    model_.may_disconnect = overflow == broker::OverflowPolicy::kDisconnect;
    for (const Role& role : cast()) actors_.push_back(std::make_unique<Actor>(stage_, actors_.size(), role));
  }

  Outcome run(std::uint64_t events) {
    // The watcher is there from the beginning, so that nothing happens unseen.
    for (int round = 0; round < 3; ++round) {
      ++stage_.now;
      actors_.front()->come_back();
      world_.settle();
    }
    for (std::uint64_t event = 0; event < events; ++event) step();
    finish();
    outcome_.counters = world_.counters();
    return outcome_;
  }

 private:
  void step() {
    ++stage_.now;
    const std::uint64_t dice = world_.below(1000);
    if (dice < 550) {
      world_.turn(static_cast<std::uint16_t>(world_.below(world_.worker_count())));
      check_ledgers();
    } else if (dice < 985) {
      actors_[world_.below(actors_.size())]->act();
    } else if (dice < 990) {
      world_.move_shard({static_cast<std::uint16_t>(world_.below(16))},
                        static_cast<std::uint16_t>(world_.below(world_.worker_count())));
    } else if (dice < 992) {
      world_.jump(Duration::seconds(static_cast<std::int64_t>(1 + world_.below(30))));
    } else if (dice < 994) {
      world_.settle();
      stage_.settled_at = stage_.now;
      model_.settled.push_back(stage_.now);
    } else {
      world_.jump(Duration{static_cast<std::int64_t>(world_.below(100))});
    }
  }

  void check_ledgers() {
    for (std::uint16_t w = 0; w < world_.worker_count(); ++w) {
      const broker::Worker& worker = world_.worker(w);
      const std::int64_t imbalance = worker.counters().ledger.imbalance();
      if (imbalance != 0) throw Violation(fmt::format("the ledger of worker {} is off by {}", w, imbalance));
    }
    for (std::uint16_t w = 0; w < world_.worker_count(); ++w) {
      world_.worker(w).state().sessions.for_each([this](const broker::Session& session) {
        if (session.connection != nullptr && !session.outbox.empty()) ++outcome_.full_windows;
        if (session.connection == nullptr && session.will && session.will->delay_s > 0)
          ++outcome_.will_timers;
      });
    }
  }

  // Everybody comes back and reads until nothing moves; then nothing may be owed to anyone. Before that, one
  // member of the shared group stays away: what it left unacknowledged at QoS 1 is for the others.
  void finish() {
    for (const auto& actor : actors_) {
      if (!actor->role().is_member || actor->role().is_anchor) continue;
      come_to_rest(actor.get());
      check_shared(mqtt::Qos::kAtLeastOnce);
      break;
    }
    come_to_rest(nullptr);
    check_ledgers();
    const broker::Ledger ledger = world_.counters().ledger;
    if (ledger.waiting != 0 || ledger.in_flight != 0) {
      throw Violation(
          fmt::format("{} messages wait and {} are in flight at the end", ledger.waiting, ledger.in_flight));
    }
    if (ledger.handed_over != ledger.taken_over) throw Violation("messages are lost between workers");
    check_actors();
  }

  void come_to_rest(const Actor* absent) {
    constexpr int kRounds = 10'000;
    bool is_done = false;
    for (int round = 0; round < kRounds && !is_done; ++round) {
      ++stage_.now;
      const std::uint64_t before = world_.counters().packets_sent;
      world_.settle();
      is_done = true;
      for (const auto& actor : actors_) {
        if (actor.get() == absent) {
          actor->stay_away();
        } else {
          actor->come_back();
          is_done = is_done && actor->is_done();
        }
      }
      world_.settle();
      is_done = is_done && !world_.has_moves() && world_.counters().packets_sent == before;
    }
    if (!is_done) throw Violation(unrest());
  }

  std::string unrest() const {
    std::string text = "the world does not come to rest:";
    if (world_.has_moves()) text += " a shard is on its way";
    for (const auto& actor : actors_) {
      if (!actor->is_done()) text += " " + actor->describe();
    }
    return text;
  }

  // Messages of at most this QoS have reached the shared group, or were counted as dropped.
  void check_shared(mqtt::Qos most) {
    Tick since = kOpen;
    for (const auto& actor : actors_) {
      if (actor->role().is_anchor) since = actor->shared_since();
    }
    std::string example;
    const std::uint64_t missing = model_.missing_shared(since, most, example);
    const auto& dropped = world_.counters().ledger.dropped;
    const std::uint64_t counted = dropped[static_cast<std::size_t>(broker::DropReason::kQueueFull)];
    if (missing > counted) {
      throw Violation(fmt::format("the shared group lost {} messages, the first is {}", missing, example));
    }
  }

  void check_actors() {
    for (const auto& actor : actors_) actor->check_at_end();
    check_shared(mqtt::Qos::kExactlyOnce);
    for (const WillRecord& will : stage_.wills) {
      const auto seen = model_.wills.find(will.publication);
      const int count = seen == model_.wills.end() ? 0 : seen->second;
      if (count < will.least || count > will.most) {
        throw Violation(fmt::format("will #{} of {} was published {} times, not {} to {}", will.publication,
                                    model_.at(will.publication).topic, count, will.least, will.most));
      }
    }
  }

  Model model_;
  testing::World world_;
  Stage stage_;
  std::vector<std::unique_ptr<Actor>> actors_;
  Outcome outcome_;
};

}  // namespace

Outcome run_seed(std::uint64_t seed, std::uint64_t events) { return Simulation{seed}.run(events); }

}  // namespace nightjar::sim
