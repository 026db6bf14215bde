// nightjar_power_sim [--cuts N] [--first S] [--steps E]: runs seeds from S on of crashes.h on the broker's
// own store, until the power has been cut N times, and prints what broke. Then the same with one sync left
// out, which must be noticed: --controls 0 leaves that away. The threads of the store have a will of their
// own, so a seed that fails may need some runs to fail again.
#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tests/sim/crashes.h"
#include "tests/sim/power_cut_store.h"

namespace {

using nightjar::sim::CrashCounts;
using nightjar::sim::CrashPlan;
using nightjar::sim::PowerCutPlan;
using nightjar::sim::PowerCutStore;
using Liar = nightjar::test_support::PowerCutFs::Liar;
using Sync = nightjar::store::RocksOptions::Sync;

// What a control must see. A file that lost more than its end mostly keeps the broker from starting, before
// anything can be counted.
enum class Sees { kLosses, kAnything };

struct Control {
  std::string_view left_out;
  Sync sync = Sync::kFsync;
  Liar liar = Liar::kNobody;
  Sees sees = Sees::kLosses;
};

constexpr std::array kControls{
    Control{.left_out = "the sync before an acknowledgement", .sync = Sync::kOs},
    Control{.left_out = "what the sync of the log does", .liar = Liar::kWal, .sees = Sees::kAnything},
    Control{.left_out = "what the sync of MANIFEST does", .liar = Liar::kManifest, .sees = Sees::kAnything},
    Control{.left_out = "what the sync of tables does", .liar = Liar::kTables, .sees = Sees::kAnything},
    Control{
        .left_out = "what the sync of the directory does", .liar = Liar::kDirectory, .sees = Sees::kAnything},
};

struct Outcome {
  CrashCounts counts;
  std::uint64_t seeds = 0;
  std::uint64_t cuts = 0;
  std::uint64_t failed = 0;  // seeds
  std::string first_wrong;
};

Outcome run(CrashPlan plan, const PowerCutPlan& power, std::uint64_t cuts_min, auto is_enough) {
  Outcome all;
  for (; all.cuts < cuts_min && !is_enough(all); ++plan.seed) {
    PowerCutPlan own = power;
    own.seed = plan.seed;
    PowerCutStore store(own);
    const auto wrong = run_crashes(plan, store, all.counts);
    ++all.seeds;
    all.cuts += store.cuts();
    if (!wrong) continue;
    ++all.failed;
    if (all.first_wrong.empty()) all.first_wrong = fmt::format("seed {}: {}", plan.seed, *wrong);
  }
  return all;
}

void print(const Outcome& all) {
  fmt::print(
      "{} power cuts, {} messages acknowledged, {} delivered: lost {}, QoS 2 duplicates {}, out of order {}, "
      "sessions lost {}\n",
      all.cuts, all.counts.acknowledged, all.counts.delivered, all.counts.lost, all.counts.doubled,
      all.counts.out_of_order, all.counts.sessions_lost);
  if (!all.first_wrong.empty()) fmt::print("    {}\n", all.first_wrong);
  std::fflush(stdout);
}

bool is_noticed(const Control& control, const Outcome& all) {
  return control.sees == Sees::kLosses ? all.counts.lost != 0 : all.failed != 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t cuts = 200;
  bool has_controls = true;
  CrashPlan plan{.steps = 10'000, .crashes_per_1000_steps = 2, .padding_bytes_max = 3000};
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name = argv[i];
    const std::uint64_t value = i + 1 < argc ? std::strtoull(argv[i + 1], nullptr, 10) : 0;
    if (name == "--cuts") {
      cuts = value;
    } else if (name == "--first") {
      plan.seed = value;
    } else if (name == "--steps") {
      plan.steps = static_cast<int>(value);
    } else if (name == "--controls") {
      has_controls = value != 0;
    } else if (name == "--trace") {
      plan.is_traced = value != 0;
    } else {
      fmt::print("usage: nightjar_power_sim [--cuts N] [--first S] [--steps E] [--controls 0] [--trace 1]\n");
      return 2;
    }
  }
  const Outcome real = run(plan, {}, cuts, [](const Outcome&) { return false; });
  fmt::print("  ");
  print(real);
  std::uint64_t passed = real.seeds - real.failed;
  std::uint64_t failed = real.failed;
  for (const Control& control : kControls) {
    if (!has_controls) break;
    const Outcome all = run(plan, {.sync = control.sync, .liar = control.liar}, cuts,
                            [&control](const Outcome& so_far) { return is_noticed(control, so_far); });
    const bool is_good = is_noticed(control, all);
    ++(is_good ? passed : failed);
    fmt::print("  without {}, {}: ", control.left_out, is_good ? "noticed" : "NOT NOTICED");
    print(all);
  }
  fmt::print("{} passed, {} failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
