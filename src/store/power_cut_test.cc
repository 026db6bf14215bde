// Whole runs of a store on a machine whose power goes at any moment, also while it starts. What was reported
// as committed must be there afterwards, and of every other commit all or nothing.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "broker/mail.h"
#include "store/rocks_store.h"
#include "tests/support/impatient_env.h"
#include "tests/support/power_cut_fs.h"
#include "tests/support/temp_dir.h"

namespace nightjar::store {
namespace {

using broker::Changes;
using broker::Commit;
using broker::Table;
using broker::WorkerIndex;
using test_support::PowerCutFs;

constexpr std::uint16_t kOrigins = 3;
constexpr std::array kTablesWithData{Table::kSessions, Table::kQueues};

struct NoMail final : broker::Peers {
  void post(WorkerIndex, WorkerIndex, std::unique_ptr<broker::MailBatch>) override {}
};

// What commit `number` of an origin changes; the same whenever it is asked.
struct Script {
  std::uint16_t origin;
  std::uint64_t number;

  static constexpr std::uint64_t kEraseEvery = 10;
  static constexpr std::uint64_t kKept = 15;

  [[nodiscard]] std::string key(std::uint64_t index) const {
    return fmt::format("{}/{:08}/{}", origin, number, index);
  }
  // Some go to blob files, some are larger than a block of the log.
  [[nodiscard]] std::map<std::string, std::string> entries() const {
    std::mt19937_64 random(number * kOrigins + origin);
    std::map<std::string, std::string> made;
    const std::uint64_t count = 1 + random() % 3;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t bytes = random() % 40 == 0 ? 40'000 : random() % 2500;
      made[key(i)] = std::string(bytes, static_cast<char>('a' + random() % 26));
    }
    return made;
  }
  void write(Commit& commit) const {
    // Two workers have a part, one table each.
    for (const auto& [name, value] : entries()) {
      commit.part({origin}).put(Table::kSessions, name, value);
      commit.part({static_cast<std::uint16_t>((origin + 1) % kOrigins)}).put(Table::kQueues, name, value);
    }
    Changes& own = commit.part({origin});
    own.put(Table::kMeta, fmt::format("head/{}", origin), std::to_string(number));
    own.refresh(fmt::format("head/{}", origin));
    if (number % kEraseEvery != 0 || number <= kKept) return;
    for (const Table table : kTablesWithData) {
      own.erase_range(table, Script{origin, 0}.key(0), Script{origin, number - kKept}.key(0));
    }
  }
  // The first commit whose entries are still there when this one was the last.
  [[nodiscard]] std::uint64_t first_kept() const {
    const std::uint64_t erased_at = number / kEraseEvery * kEraseEvery;
    return erased_at > kKept ? erased_at - kKept : 1;
  }
};

class Machine {
 public:
  explicit Machine(std::uint64_t seed) : random_(seed) {
    options_.env = &env_;
    options_.write_buffers_bytes = 256 * 1024;  // so that flushes and compactions run while the power goes
    options_.retry = Duration::seconds(3600);
  }

  PowerCutFs& disk() { return *disk_; }
  [[nodiscard]] std::uint64_t commits() const { return commits_seen_; }

  // Starts, runs and loses its power. Says what is wrong with what the disk holds.
  std::optional<std::string> round() {
    // Sometimes the power goes while it starts.
    if (random_() % 4 == 0) disk_->cut_after(random_() % 60);
    while (true) {
      auto opened = RocksStore::open(directory_, options_);
      if (opened) {
        store_ = std::move(*opened);
        break;
      }
      if (!disk_->is_off()) return opened.error().message;
      disk_->turn_on(random_());
    }
    auto wrong = check();
    if (!wrong) run_until_cut();
    store_.reset();
    disk_->turn_on(random_());
    return wrong;
  }

 private:
  void run_until_cut() {
    store_->start(peers_, [this](std::string_view topic, ByteBuffer& value) {
      value.append(std::to_string(announced_[static_cast<std::size_t>(topic.back() - '0')].load()));
      return true;
    });
    const std::array<std::uint64_t, kOrigins> before = committed_;
    std::array<broker::CommitNumber, kOrigins> numbers{};
    disk_->cut_after(random_() % 120);
    while (!disk_->is_off()) {
      const auto origin = static_cast<std::uint16_t>(random_() % kOrigins);
      auto commit = std::make_shared<Commit>(WorkerIndex{origin}, ++numbers[origin], kOrigins);
      store_->announce(commit);
      Script{origin, ++announced_[origin]}.write(*commit);
      (void)store_->ready(*commit);
      // Groups of any size; and so many only that the committer comes along.
      const std::uint64_t behind = random_() % 8;
      while (!disk_->is_off() && store_->committed({origin}) + behind < numbers[origin])
        std::this_thread::yield();
    }
    for (std::uint16_t origin = 0; origin < kOrigins; ++origin) {
      const std::uint64_t reported = store_->committed({origin});
      committed_[origin] = before[origin] + reported;
      commits_seen_ += reported;
    }
  }

  // The store as it was opened against what was reported, and against itself.
  std::optional<std::string> check() {
    const auto meta = table(Table::kMeta);
    const auto retained = table(Table::kRetained);
    std::map<std::string, std::string> wanted;
    for (std::uint16_t origin = 0; origin < kOrigins; ++origin) {
      const std::string name = fmt::format("head/{}", origin);
      const std::uint64_t head = meta.contains(name) ? std::stoull(meta.at(name)) : 0;
      if (head < committed_[origin] || head > announced_[origin]) {
        return fmt::format("origin {} is at {}, {} were reported and {} made", origin, head,
                           committed_[origin], announced_[origin].load());
      }
      const std::uint64_t topic = retained.contains(name) ? std::stoull(retained.at(name)) : 0;
      if (topic < head) return fmt::format("the retained message of {} is from {}", head, topic);
      for (std::uint64_t n = Script{origin, head}.first_kept(); n <= head; ++n) {
        wanted.merge(Script{origin, n}.entries());
      }
      committed_[origin] = head;
      announced_[origin] = head;
    }
    for (const Table of : kTablesWithData) {
      if (table(of) != wanted)
        return fmt::format("table {} is not what its commits made", static_cast<int>(of));
    }
    return {};
  }

  std::map<std::string, std::string> table(Table of) {
    std::map<std::string, std::string> found;
    const auto scanned = store_->scan(of, {}, [&found](std::string_view key, std::string_view value) {
      found.emplace(key, value);
      return true;
    });
    if (!scanned) found.emplace("error", scanned.error().message);
    return found;
  }

  test_support::TempDir temp_;
  const std::filesystem::path directory_ = temp_.path() / "store";
  std::mt19937_64 random_;
  std::shared_ptr<PowerCutFs> disk_ = std::make_shared<PowerCutFs>(temp_.path() / "inodes");
  test_support::ImpatientEnv env_{disk_};
  RocksOptions options_;
  NoMail peers_;
  std::array<std::uint64_t, kOrigins> committed_{};
  std::array<std::atomic<std::uint64_t>, kOrigins> announced_{};
  std::uint64_t commits_seen_ = 0;
  std::unique_ptr<RocksStore> store_;
};

TEST(PowerCut, LosesNothingThatWasReported) {
  std::uint64_t commits = 0;
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U, 9U, 10U}) {
    Machine machine(seed);
    for (int round = 0; round < 20; ++round) {
      const auto wrong = machine.round();
      ASSERT_FALSE(wrong.has_value()) << *wrong << "; seed " << seed << ", round " << round;
    }
    commits += machine.commits();
  }
  EXPECT_GT(commits, 1000U) << "there was hardly anything to lose";
}

// The test above is worth something only if it sees a sync that is missing.
struct PowerCutControl : ::testing::TestWithParam<PowerCutFs::Liar> {};

TEST_P(PowerCutControl, SeesASyncThatDoesNothing) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Machine machine(seed);
    machine.disk().set_liar(GetParam());
    for (int round = 0; round < 20; ++round) {
      if (machine.round()) return;
    }
  }
  FAIL() << "400 power cuts and nothing was missed";
}

INSTANTIATE_TEST_SUITE_P(Liars, PowerCutControl,
                         ::testing::Values(PowerCutFs::Liar::kWal, PowerCutFs::Liar::kManifest,
                                           PowerCutFs::Liar::kTables, PowerCutFs::Liar::kDirectory),
                         [](const auto& chosen) {
                           switch (chosen.param) {
                             case PowerCutFs::Liar::kWal:
                               return "Wal";
                             case PowerCutFs::Liar::kManifest:
                               return "Manifest";
                             case PowerCutFs::Liar::kTables:
                               return "Tables";
                             default:
                               return "Directory";
                           }
                         });

}  // namespace
}  // namespace nightjar::store
