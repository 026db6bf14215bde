#include "store/rocks_store.h"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <iterator>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "broker/mail.h"

namespace nightjar::store {
namespace {

// In what RocksDB says whenever the system says so.
constexpr std::string_view kDiskFull = "No space left on device";

// But for the retained messages, which are asked for when they are written.
std::size_t bytes_of(const std::vector<std::shared_ptr<broker::Commit>>& commits) {
  std::size_t bytes = 0;
  for (const auto& commit : commits) {
    for (const broker::Changes& part : commit->parts()) bytes += part.size_bytes();
  }
  return bytes;
}

}  // namespace

Result<std::unique_ptr<RocksStore>> RocksStore::open(const std::filesystem::path& directory,
                                                     const RocksOptions& options) {
  std::unique_ptr<RocksStore> store(new RocksStore(directory, options));
  NJ_TRY(store->database_, store->open_database());
  return store;
}

RocksStore::RocksStore(std::filesystem::path directory, const RocksOptions& options)
    : directory_(std::move(directory)), options_(options) {}

Result<std::unique_ptr<Database>> RocksStore::open_database() {
  const auto on_trouble = [this](WriteFailure failure) {
    {
      const std::lock_guard lock(mutex_);
      if (!trouble_) trouble_ = std::move(failure);
    }
    wake_.notify_one();
  };
  return Database::open(directory_, options_, on_trouble, &counters_);
}

StoreFigures RocksStore::figures() const {
  StoreFigures figures = counters_.figures();
  figures.refusing = is_refusing() ? 1 : 0;
  return figures;
}

RocksStore::~RocksStore() {
  reads_.reset();
  if (!committer_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  wake_.notify_one();
  committer_.join();
}

Result<void> RocksStore::apply(const broker::Changes& changes) {
  assert(!committer_.joinable());
  Database::Batch batch(*database_, changes.size_bytes());
  batch.add(changes, {});
  const auto written = database_->write(batch, Database::Until::kOnDisk);
  if (written) return {};
  return fail(fmt::format("cannot write the store in {}: {}", directory_.string(), written.error().reason));
}

void RocksStore::start(broker::Peers& peers, broker::RetainedReader reader) {
  peers_ = &peers;
  retained_ = std::move(reader);
  reads_.emplace(peers, [this](const ReadRequest& request) { return read_now(request); });
  committer_ = std::thread([this] { commit_until_end(); });
  pthread_setname_np(committer_.native_handle(), "store committer");
}

bool RocksStore::ready(broker::Commit& commit) {
  broker::WorkerSet others = 0;
  const auto ready = order_.ready(commit, others);
  tell(others);
  const bool has_to_wake = ready == broker::CommitOrder::Ready::kIsToWrite || order_.is_blocked();
  const bool is_durable = ready == broker::CommitOrder::Ready::kIsDurable;
  if (!has_to_wake) return is_durable;
  Phase asleep = Phase::kAsleep;
  if (phase_.compare_exchange_strong(asleep, Phase::kWoken)) {
    // Between the committer's last look at the phase and its sleep there is nothing to notify.
    { const std::lock_guard lock(mutex_); }
    wake_.notify_one();
  }
  return is_durable;
}

void RocksStore::commit_until_end() {
  bool is_last_round = false;
  while (!is_last_round) {
    is_last_round = wait_for_work();
    phase_.store(Phase::kWriting);
    // Background work that failed has its retry after a pause, as a write has.
    if (has_trouble() && !is_last_round) continue;
    if (is_refusing() && !reopen()) continue;
    write_what_is_ready();
  }
  if (is_refusing()) {
    log::error(
        fmt::format("the store in {} could not be written to the end: what was not acknowledged is not in it",
                    directory_.string()));
  }
}

// True when the end was asked for.
bool RocksStore::wait_for_work() {
  std::unique_lock lock(mutex_);
  if (is_refusing()) {
    wake_.wait_for(lock, std::chrono::milliseconds(options_.retry.ms), [this] { return is_ending_; });
  } else {
    wake_.wait(lock, [this] { return is_ending_ || trouble_ || phase_.load() != Phase::kAsleep; });
  }
  return is_ending_;
}

// Leaves the phase at kAsleep, or at kWriting if the store refuses: then the clock wakes the committer.
void RocksStore::write_what_is_ready() {
  while (true) {
    Commits commits = order_.take();
    if (commits.empty()) {
      if (is_refusing()) end_outage();
      phase_.store(Phase::kAsleep);
      // Who handed in a commit just before saw kWriting and woke nobody.
      commits = order_.take();
      if (commits.empty()) return;
      phase_.store(Phase::kWriting);
    }
    if (const auto written = write(std::move(commits)); !written) return begin_outage(written.error());
  }
}

// Whole commits, so many at a time as fit.
Result<void, WriteFailure> RocksStore::write(Commits commits) {
  const auto until = options_.sync == RocksOptions::Sync::kFsync ? Database::Until::kOnDisk
                                                                 : Database::Until::kWithTheSystem;
  while (!commits.empty()) {
    std::size_t count = 0;
    Database::Batch batch(*database_, std::min(bytes_of(commits), options_.batch_bytes_max));
    while (count != commits.size() && batch.bytes() < options_.batch_bytes_max) {
      for (const broker::Changes& part : commits[count]->parts()) batch.add(part, retained_);
      ++count;
    }
    const auto begin = std::chrono::steady_clock::now();
    if (auto written = database_->write(batch, until); !written) {
      order_.unwritten(commits);
      return written;
    }
    count_write(count, batch.bytes(), std::chrono::steady_clock::now() - begin);
    const auto end = commits.begin() + static_cast<std::ptrdiff_t>(count);
    Commits later(std::make_move_iterator(end), std::make_move_iterator(commits.end()));
    commits.erase(end, commits.end());
    tell(order_.written(commits));
    commits = std::move(later);
  }
  return {};
}

void RocksStore::count_write(std::size_t commits, std::size_t bytes, std::chrono::nanoseconds time) {
  StoreCounters::add(counters_.commits, commits);
  StoreCounters::add(counters_.writes, 1);
  StoreCounters::add(counters_.written_bytes, bytes);
  StoreCounters::add(counters_.write_us, static_cast<std::uint64_t>(time.count() / 1000));
}

void RocksStore::tell(broker::WorkerSet workers) {
  for (; workers != 0; workers &= workers - 1) {
    const broker::WorkerIndex worker{static_cast<std::uint16_t>(std::countr_zero(workers))};
    peers_->post(worker, worker, broker::committed_batch());
  }
}

// Makes an outage of background work that has failed.
bool RocksStore::has_trouble() {
  std::optional<WriteFailure> trouble;
  {
    const std::lock_guard lock(mutex_);
    trouble = std::exchange(trouble_, {});
  }
  if (!trouble) return false;
  begin_outage(*trouble);
  return true;
}

bool RocksStore::reopen() {
  std::error_code error;
  const auto space = std::filesystem::space(directory_, error);
  // Less is gone with the next flush, and the store would come and go every second.
  if (outage_->is_disk_full && !error && space.available < options_.write_buffers_bytes) return false;

  const std::unique_lock alone(access_);
  database_.reset();
  {
    const std::lock_guard lock(mutex_);
    trouble_.reset();  // of the one that is gone
  }
  auto opened = open_database();
  if (!opened) {
    const std::string& why = opened.error().message;
    // That the disk is full was said; anything else is news, once.
    const bool is_news = why.find(kDiskFull) == std::string::npos;
    if (is_news && !std::exchange(outage_->is_reopening_logged, true)) log::warn(why);
    return false;
  }
  database_ = std::move(*opened);
  return database_->try_to_write().has_value();
}

void RocksStore::begin_outage(const WriteFailure& failure) {
  if (outage_) {
    outage_->is_disk_full = failure.is_disk_full;
    return;
  }
  outage_ = Outage{.since = std::chrono::steady_clock::now(), .is_disk_full = failure.is_disk_full};
  is_refusing_.store(true, std::memory_order_release);
  StoreCounters::add(counters_.outages, 1);
  log::warn(fmt::format(
      "cannot write the store in {} ({}): messages with QoS 1 and 2 are not acknowledged until it can "
      "be written again, which is tried every second; {}",
      directory_.string(), failure.reason,
      failure.is_disk_full ? "free some space on its disk"
                           : "look for errors of its disk in the "
                             "system's log"));
}

void RocksStore::end_outage() {
  const auto lasted = std::chrono::steady_clock::now() - outage_->since;
  outage_.reset();
  is_refusing_.store(false, std::memory_order_release);
  log::info(fmt::format("the store in {} is written again, after {:.1f} s; nothing that waited is lost",
                        directory_.string(), std::chrono::duration<double>(lasted).count()));
}

// To be held while the database is used.
Result<std::shared_lock<std::shared_mutex>> RocksStore::use_database() const {
  std::shared_lock shared(access_, std::try_to_lock);
  if (is_refusing() || !shared || !database_) {
    return fail(
        fmt::format("the store in {} cannot be used at present: its disk is full or fails; see the log",
                    directory_.string()));
  }
  return shared;
}

Result<void> RocksStore::scan(broker::Table table, std::string_view from, const EntryVisitor& visit) const {
  NJ_TRY(const auto use, use_database());
  return database_->scan(table, from, {}, visit);
}

Result<void> RocksStore::backup(const std::filesystem::path& directory) const {
  NJ_TRY(const auto use, use_database());
  return database_->copy_to(directory);
}

void RocksStore::read(broker::WorkerIndex asker, broker::Table table, std::string from, std::string to,
                      std::size_t bytes_max, broker::ReadDone then) {
  reads_->push({.asker = asker,
                .table = table,
                .from = std::move(from),
                .to = std::move(to),
                .bytes_max = bytes_max,
                .then = std::move(then)});
}

Result<broker::StoredEntries> RocksStore::read_now(const ReadRequest& request) const {
  NJ_TRY(const auto use, use_database());
  broker::StoredEntries found;
  std::size_t bytes = 0;
  NJ_CHECK(database_->scan(request.table, request.from, request.to,
                           [&](std::string_view key, std::string_view value) {
                             found.emplace_back(key, value);
                             bytes += key.size() + value.size();
                             return bytes < request.bytes_max;
                           }));
  return found;
}

}  // namespace nightjar::store
