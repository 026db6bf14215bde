#include "tests/sim/power_cut_store.h"

#include <fmt/format.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

#include "broker/mail.h"
#include "cli/kept_state.h"

namespace nightjar::sim {
namespace {

using test_support::PowerCutFs;

constexpr std::uint64_t kWithoutEnd = UINT64_MAX;
// A start makes some dozens of changes, with flushes and compactions; a commit makes two or three.
constexpr std::uint64_t kChangesOfAStart = 60;
constexpr std::uint64_t kChangesOfSomeCommits = 6;
constexpr std::uint64_t kWritesUntilStuck = 20;  // about
constexpr std::uint64_t kWritesStuckMax = 30;

// Says when a hang becomes a failure, and nothing about speed.
constexpr std::chrono::seconds kHang{60};

void wait_until(const std::function<bool()>& is_so) {
  const auto end = std::chrono::steady_clock::now() + kHang;
  while (!is_so()) {
    if (std::chrono::steady_clock::now() > end) throw std::runtime_error("the store hangs");
    std::this_thread::yield();
  }
}

}  // namespace

PowerCutStore::PowerCutStore(const PowerCutPlan& plan)
    : random_(plan.seed), disk_(std::make_shared<PowerCutFs>(temp_.path() / "inodes")), env_(disk_) {
  disk_->set_liar(plan.liar);
  options_.sync = plan.sync;
  options_.env = &env_;
  // So that flushes and compactions run while the power goes.
  options_.write_buffers_bytes = std::size_t{512} * 1024;
  options_.retry = Duration::seconds(3600);
}

PowerCutStore::~PowerCutStore() { disk_->hold_after(kWithoutEnd); }

void PowerCutStore::open() {
  while (true) {
    auto opened = store::RocksStore::open(temp_.path() / "store", options_);
    if (opened) {
      rocks_ = std::move(*opened);
      return;
    }
    if (!disk_->is_off()) throw std::runtime_error(opened.error().message);
    lose_power();
  }
}

broker::Restored PowerCutStore::start(broker::Node& node, std::span<broker::Worker* const> workers,
                                      const broker::ListenerPolicy& listener) {
  disk_->hold_after(kWithoutEnd);
  if (below(4) == 0) disk_->cut_after(below(kChangesOfAStart));
  open();
  const broker::ListenerPolicy* const policy = &listener;
  auto restored =
      cli::restore(*rocks_, node, workers, {&policy, 1}, fmt::format("boot after {} cuts", cuts_));
  disk_->cut_after(kWithoutEnd);
  if (disk_->is_off()) {
    lose_power();
    throw testing::DiedAtStart();
  }
  if (!restored) throw std::runtime_error(restored.error().message);
  peers_ = &node.ports().peers;
  disk_->hold_after(0);
  rocks_->start(*this, node.retained_reader());
  return *restored;
}

// The disk does all that there is to do, or takes its time, or does nothing at all for a while: what the
// store says then must be true without the write that hangs.
std::uint64_t PowerCutStore::changes_now() {
  if (stuck_for_ == 0 && below(kWritesUntilStuck) == 0) stuck_for_ = 1 + below(kWritesStuckMax);
  if (stuck_for_ != 0) {
    --stuck_for_;
    return 0;
  }
  return below(2) == 0 ? kWithoutEnd : 1 + below(kChangesOfSomeCommits);
}

bool PowerCutStore::write() {
  if (!rocks_) return false;
  disk_->hold_after(changes_now());
  wait_until([this] { return disk_->is_held() || is_at_rest(); });
  const bool is_done = is_at_rest();
  disk_->hold_after(0);
  return hand_out_letters() || !is_done;
}

void PowerCutStore::crash() {
  disk_->cut_after(below(2) == 0 ? 0 : below(below(3) == 0 ? kChangesOfAStart : kChangesOfSomeCommits));
  disk_->hold_after(kWithoutEnd);
  wait_until([this] { return disk_->is_off() || is_at_rest(); });
  disk_->cut_after(0);
  lose_power();
}

void PowerCutStore::lose_power() {
  rocks_.reset();
  letters_.clear();
  answers_due_ = 0;
  peers_ = nullptr;
  disk_->turn_on(random_());
  ++cuts_;
}

testing::WorldStore::Rows PowerCutStore::rows(broker::Table table) const {
  Rows found;
  const auto scanned = rocks_->scan(table, {}, [&found](std::string_view key, std::string_view value) {
    found.emplace(key, value);
    return true;
  });
  if (!scanned) throw std::runtime_error(scanned.error().message);
  return found;
}

void PowerCutStore::announce(std::shared_ptr<broker::Commit> commit) {
  if (rocks_) rocks_->announce(std::move(commit));
}

void PowerCutStore::read(broker::WorkerIndex asker, broker::Table table, std::string from, std::string to,
                         std::size_t bytes_max, broker::ReadDone then) {
  if (!rocks_) return;
  ++answers_due_;
  rocks_->read(asker, table, std::move(from), std::move(to), bytes_max, std::move(then));
}

void PowerCutStore::post(broker::WorkerIndex from, broker::WorkerIndex to,
                         std::unique_ptr<broker::MailBatch> batch) {
  if (std::this_thread::get_id() == world_thread_) return peers_->post(from, to, std::move(batch));
  const bool is_answer = std::holds_alternative<broker::TaskMail>(batch->mail.front());
  const std::lock_guard lock(mutex_);
  letters_.push_back({to, std::move(batch)});
  if (is_answer) --answers_due_;
}

bool PowerCutStore::hand_out_letters() {
  std::vector<Letter> letters;
  {
    const std::lock_guard lock(mutex_);
    letters.swap(letters_);
  }
  for (Letter& letter : letters) peers_->post(letter.to, letter.to, std::move(letter.batch));
  return !letters.empty();
}

}  // namespace nightjar::sim
