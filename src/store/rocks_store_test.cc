#include "store/rocks_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <fstream>
#include <initializer_list>
#include <map>
#include <mutex>
#include <set>

#include "base/log.h"
#include "broker/mail.h"
#include "store/rocks_settings.h"
#include "tests/support/failing_disk.h"
#include "tests/support/impatient_env.h"
#include "tests/support/temp_dir.h"
#include "tests/support/world.h"

namespace nightjar::store {
namespace {

namespace fs = std::filesystem;
using broker::Changes;
using broker::Commit;
using broker::CommitNumber;
using broker::Table;
using broker::WorkerIndex;
using test_support::FailingDisk;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr std::uint16_t kWorkers = 3;
// Bounds how long a test waits for something that must come; never reached when all is well.
constexpr std::chrono::seconds kPatience{20};

// The workers' mailboxes.
class Mailboxes final : public broker::Peers {
 public:
  void post(WorkerIndex, WorkerIndex to, std::unique_ptr<broker::MailBatch> batch) override {
    const std::lock_guard lock(mutex_);
    for (broker::Mail& mail : batch->mail) {
      if (std::holds_alternative<broker::CommittedMail>(mail)) told_.insert(to.value);
      if (auto* const task = std::get_if<broker::TaskMail>(&mail)) tasks_.push_back(std::move(task->run));
    }
    came_.notify_all();
  }
  // False if it does not come to be in time.
  template <typename Condition>
  bool wait_until(Condition condition) {
    std::unique_lock lock(mutex_);
    return came_.wait_for(lock, kPatience, condition);
  }
  bool are_told(const std::set<std::uint16_t>& workers) {
    return wait_until([&] { return told_ == workers; });
  }
  std::set<std::uint16_t> told() {
    const std::lock_guard lock(mutex_);
    return told_;
  }
  std::function<void(broker::Worker&)> next_task() {
    if (!wait_until([this] { return !tasks_.empty(); })) throw std::runtime_error("no answer came");
    const std::lock_guard lock(mutex_);
    auto task = std::move(tasks_.front());
    tasks_.pop_front();
    return task;
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::set<std::uint16_t> told_;
  std::deque<std::function<void(broker::Worker&)>> tasks_;
};

// What the store says, by level.
std::mutex g_log_mutex;
std::vector<std::pair<log::Level, std::string>> g_log;
void keep_line(log::Level level, std::string_view message, std::span<const log::Field>) {
  const std::lock_guard lock(g_log_mutex);
  g_log.emplace_back(level, message);
}
std::vector<std::string> logged(log::Level level) {
  const std::lock_guard lock(g_log_mutex);
  std::vector<std::string> lines;
  for (const auto& [of, message] : g_log) {
    if (of == level) lines.push_back(message);
  }
  return lines;
}

struct RocksStoreTest : ::testing::Test {
  RocksStoreTest() {
    g_log.clear();
    log::set_sink(keep_line);
    options.retry = {20};
  }
  ~RocksStoreTest() override {
    store.reset();
    log::set_sink(nullptr);
  }

  void open() {
    close();
    auto opened = RocksStore::open(directory, options);
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    store = std::move(*opened);
    numbers.fill(0);
  }
  void start() {
    open();
    if (store) store->start(mail, retained);
  }
  void close() { store.reset(); }
  std::string why_not() {
    close();
    const auto opened = RocksStore::open(directory, options);
    return opened ? "it opened" : opened.error().message;
  }

  // A commit of `origin` whose only part is its own.
  std::shared_ptr<Commit> announce(std::uint16_t origin = 0) {
    auto commit = std::make_shared<Commit>(WorkerIndex{origin}, ++numbers[origin], kWorkers);
    store->announce(commit);
    return commit;
  }
  CommitNumber put(std::string_view key, std::string_view value, Table table = Table::kSessions,
                   std::uint16_t origin = 0) {
    const auto commit = announce(origin);
    commit->part({origin}).put(table, key, value);
    EXPECT_FALSE(store->ready(*commit));
    return commit->at().number;
  }
  bool is_committed(CommitNumber number, std::uint16_t origin = 0) {
    return mail.wait_until([&] { return store->committed({origin}) >= number; });
  }
  template <typename Condition>
  static bool becomes_true(Condition condition) {
    for (const auto end = std::chrono::steady_clock::now() + kPatience; !condition();) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }

  std::map<std::string, std::string> table(Table of = Table::kSessions) {
    std::map<std::string, std::string> found;
    const auto scanned = store->scan(of, {}, [&found](std::string_view key, std::string_view value) {
      found.emplace(key, value);
      return true;
    });
    EXPECT_TRUE(scanned.has_value()) << scanned.error().message;
    return found;
  }

  test_support::TempDir temp;
  const fs::path directory = temp.path() / "store";
  RocksOptions options;
  broker::RetainedReader retained = [](std::string_view, ByteBuffer&) { return false; };
  Mailboxes mail;
  std::unique_ptr<RocksStore> store;
  std::array<CommitNumber, kWorkers> numbers{};
};

TEST_F(RocksStoreTest, ARestartSeesWhatWasCommitted) {
  start();
  put("client/a", "1");
  put("client/b", "2");
  ASSERT_TRUE(is_committed(put("queue", std::string(5000, 'm'), Table::kQueues)));
  EXPECT_TRUE(mail.are_told({0}));
  open();
  EXPECT_THAT(table(), ElementsAre(Pair("client/a", "1"), Pair("client/b", "2")));
  EXPECT_THAT(table(Table::kQueues), ElementsAre(Pair("queue", std::string(5000, 'm'))));
  EXPECT_THAT(table(Table::kRetained), IsEmpty());
}

TEST_F(RocksStoreTest, AnOrderlyEndWritesWhatIsReady) {
  start();
  for (int i = 0; i < 500; ++i) put(std::to_string(i), "v");
  open();
  EXPECT_EQ(table().size(), 500U);
}

TEST_F(RocksStoreTest, TheLastChangeOfAKeyHolds) {
  start();
  put("k", "1");
  const auto commit = announce();
  commit->part({0}).erase(Table::kSessions, "k");
  commit->part({0}).put(Table::kSessions, "l", "2");
  EXPECT_FALSE(store->ready(*commit));
  put("k", "3");
  open();
  EXPECT_THAT(table(), ElementsAre(Pair("k", "3"), Pair("l", "2")));
}

TEST_F(RocksStoreTest, ErasesARangeWithoutItsEnd) {
  start();
  const auto commit = announce();
  for (const std::string_view key : {"a", "b", "c", "d"}) commit->part({0}).put(Table::kQueues, key, "m");
  commit->part({0}).erase_range(Table::kQueues, "b", "d");
  EXPECT_FALSE(store->ready(*commit));
  ASSERT_TRUE(is_committed(1));
  EXPECT_THAT(table(Table::kQueues), ElementsAre(Pair("a", "m"), Pair("d", "m")));
}

TEST_F(RocksStoreTest, TellsEveryWorkerThatHasAPart) {
  start();
  const auto commit = announce();
  commit->add_part({2});
  commit->part({0}).put(Table::kSessions, "a", "1");
  commit->part({2}).put(Table::kSessions, "b", "2");
  EXPECT_FALSE(commit->hand_in());
  EXPECT_TRUE(commit->hand_in());
  EXPECT_FALSE(store->ready(*commit));
  ASSERT_TRUE(is_committed(1));
  EXPECT_TRUE(mail.are_told({0, 2}));
  EXPECT_THAT(table(), ElementsAre(Pair("a", "1"), Pair("b", "2")));
}

TEST_F(RocksStoreTest, CountsWhatItWritesAndWritesAgain) {
  options.write_buffers_bytes = 256 * 1024;
  options.batch_bytes_max = 20'000;
  start();
  constexpr std::uint64_t kCommits = 400;
  constexpr std::size_t kBytes = 5000;
  CommitNumber last = 0;
  for (std::uint64_t i = 0; i < kCommits; ++i)
    last = put(std::to_string(i * 7919 % kCommits), std::string(kBytes, 'v'));
  ASSERT_TRUE(is_committed(last));
  ASSERT_TRUE(becomes_true([&] { return store->figures().compacted_bytes > 0; }));
  ASSERT_TRUE(becomes_true([&] { return store->figures().compactions_running == 0; }));
  const StoreFigures figures = store->figures();
  EXPECT_EQ(figures.commits, kCommits);
  EXPECT_GT(figures.writes, 0U);
  EXPECT_LE(figures.writes, kCommits);
  EXPECT_GT(figures.written_bytes, kCommits * kBytes);
  EXPECT_GT(figures.flushed_bytes, 0U);
  EXPECT_EQ(figures.outages, 0U);
  EXPECT_EQ(figures.refusing, 0U);
}

TEST_F(RocksStoreTest, CountsHowOftenItWaitedForTheWorkInTheBackground) {
  options.write_buffers_bytes = 64 * 1024;
  options.batch_bytes_max = 20'000;
  start();
  const auto end = std::chrono::steady_clock::now() + kPatience;
  for (int i = 0; store->figures().stalls == 0 && std::chrono::steady_clock::now() < end; ++i)
    ASSERT_TRUE(is_committed(put(std::to_string(i), std::string(20'000, 'v'))));
  EXPECT_GT(store->figures().stalls, 0U);
}

TEST_F(RocksStoreTest, WritesNothingForAnEmptyCommit) {
  start();
  EXPECT_TRUE(store->ready(*announce()));
  EXPECT_EQ(store->committed({0}), 1U);
  EXPECT_THAT(mail.told(), IsEmpty());
}

TEST_F(RocksStoreTest, WritesMoreThanABatchHolds) {
  options.batch_bytes_max = 1000;
  start();
  const auto first = announce();  // holds the others back, so that they come as one group
  for (int i = 0; i < 50; ++i) put(std::to_string(i), std::string(300, 'v'));
  first->part({0}).put(Table::kSessions, "first", std::string(5000, 'v'));
  EXPECT_FALSE(store->ready(*first));
  ASSERT_TRUE(is_committed(51));
  open();
  EXPECT_EQ(table().size(), 51U);
}

TEST_F(RocksStoreTest, AsksForARetainedMessageWhenItIsWritten) {
  std::atomic<int> asked = 0;
  std::atomic<bool> is_there = true;
  retained = [&](std::string_view topic, ByteBuffer& value) {
    ++asked;
    value.append(std::string(topic) + " is on");
    return is_there.load();
  };
  start();
  const auto first = announce();
  const auto second = announce();
  first->part({0}).refresh("lamp/1");
  first->part({0}).refresh("lamp/2");
  second->part({0}).refresh("lamp/1");
  EXPECT_FALSE(store->ready(*second));
  EXPECT_FALSE(store->ready(*first));
  ASSERT_TRUE(is_committed(2));
  EXPECT_EQ(asked, 2) << "the second would bring the same";
  EXPECT_THAT(table(Table::kRetained),
              ElementsAre(Pair("lamp/1", "lamp/1 is on"), Pair("lamp/2", "lamp/2 is on")));
  is_there = false;
  const auto third = announce();
  third->part({0}).refresh("lamp/1");
  EXPECT_FALSE(store->ready(*third));
  ASSERT_TRUE(is_committed(3));
  EXPECT_THAT(table(Table::kRetained), ElementsAre(Pair("lamp/2", "lamp/2 is on")));
}

TEST_F(RocksStoreTest, ScansFromAKeyUntilTheVisitorHasEnough) {
  start();
  for (const std::string_view key : {"a", "b", "c", "d"}) put(key, "v");
  ASSERT_TRUE(is_committed(4));
  std::vector<std::string> seen;
  const auto visit = [&seen](std::string_view key, std::string_view) {
    seen.emplace_back(key);
    return key != "c";
  };
  EXPECT_TRUE(store->scan(Table::kSessions, "b", visit).has_value());
  EXPECT_THAT(seen, ElementsAre("b", "c"));
}

TEST_F(RocksStoreTest, AnswersReadsByMail) {
  start();
  for (const std::string_view key : {"a", "b", "c", "d"}) put(key, std::string(100, 'v'));
  ASSERT_TRUE(is_committed(4));
  nightjar::testing::World world;
  std::vector<std::string> keys;
  const auto read = [&](const char* from, const char* to, std::size_t bytes_max) {
    keys.clear();
    store->read({1}, Table::kSessions, from, to, bytes_max,
                [&](broker::Worker&, Result<broker::StoredEntries> found) {
                  for (const auto& [key, value] : found.value()) keys.push_back(key);
                });
    mail.next_task()(world.worker(0));
  };
  read("b", "d", 10'000);
  EXPECT_THAT(keys, ElementsAre("b", "c"));
  read("a", "d", 150);
  EXPECT_THAT(keys, ElementsAre("a", "b"));
  read("a", "d", 1);
  EXPECT_THAT(keys, ElementsAre("a"));
  read("x", "z", 1);
  EXPECT_THAT(keys, IsEmpty());
}

TEST_F(RocksStoreTest, ABackupIsAStore) {
  start();
  ASSERT_TRUE(is_committed(put("k", "before")));
  const auto copied = store->backup(temp.path() / "copy");
  ASSERT_TRUE(copied.has_value()) << copied.error().message;
  ASSERT_TRUE(is_committed(put("k", "after")));
  EXPECT_THAT(store->backup(temp.path() / "copy").error().message, HasSubstr("cannot copy the store to"));
  close();
  const auto copy = RocksStore::open(temp.path() / "copy", options);
  ASSERT_TRUE(copy.has_value()) << copy.error().message;
  std::string value;
  EXPECT_TRUE((*copy)
                  ->scan(Table::kSessions, {},
                         [&](std::string_view, std::string_view v) {
                           value = v;
                           return true;
                         })
                  .has_value());
  EXPECT_EQ(value, "before");
}

TEST_F(RocksStoreTest, AppliesChangesOfTheStart) {
  open();
  Changes changes;
  changes.put(Table::kMeta, "boot", "7");
  EXPECT_TRUE(store->apply(changes).has_value());
  open();
  EXPECT_THAT(table(Table::kMeta), ElementsAre(Pair("boot", "7"), Pair("format", "1")));
}

// --- What must not be opened

TEST_F(RocksStoreTest, RefusesANewerFormat) {
  open();
  Changes changes;
  changes.put(Table::kMeta, kFormatKey, "3");
  EXPECT_TRUE(store->apply(changes).has_value());
  EXPECT_EQ(why_not(),
            "the store in " + directory.string() +
                " was written by a newer Nightjar (format 3, this one knows 1): start the newer version, or "
                "give another directory with --data");
}

TEST_F(RocksStoreTest, RefusesASecondUser) {
  open();
  const auto second = RocksStore::open(directory, options);
  ASSERT_FALSE(second.has_value());
  EXPECT_THAT(second.error().message,
              AllOf(HasSubstr("is in use by another process"), HasSubstr("stop the other Nightjar")));
}

TEST_F(RocksStoreTest, RefusesADatabaseOfSomebodyElse) {
  rocksdb::Options foreign;
  foreign.create_if_missing = true;
  rocksdb::DB* made = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open(foreign, directory.string(), &made).ok());
  delete made;
  EXPECT_THAT(why_not(), HasSubstr("holds a database, but no store of Nightjar"));
}

TEST_F(RocksStoreTest, RefusesADirectoryWithoutCurrent) {
  open();
  close();
  fs::remove(directory / "CURRENT");
  EXPECT_THAT(why_not(), AllOf(HasSubstr("CURRENT is missing"), HasSubstr("nightjar store repair")));
}

TEST_F(RocksStoreTest, RefusesADirectoryOfOtherFiles) {
  fs::create_directory(directory);
  std::ofstream(directory / "holiday.jpg") << "beach";
  EXPECT_THAT(why_not(), HasSubstr("has files in it, but no complete store"));
  EXPECT_TRUE(fs::exists(directory / "holiday.jpg"));
  EXPECT_FALSE(fs::exists(directory / "LOCK"));
}

TEST_F(RocksStoreTest, TakesAnEmptyDirectory) {
  fs::create_directory(directory);
  open();
  EXPECT_EQ(fs::status(directory).permissions(), fs::perms::owner_all);
}

TEST_F(RocksStoreTest, BeginsAnewWhenMakingTheStoreWasCutShort) {
  const fs::path begun = directory.string() + ".new";
  fs::create_directory(begun);
  std::ofstream(begun / "MANIFEST-000001") << "half";
  open();
  EXPECT_TRUE(store);
  EXPECT_FALSE(fs::exists(begun));
}

TEST_F(RocksStoreTest, RefusesADamagedManifest) {
  open();
  close();
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().filename().string().starts_with("MANIFEST")) fs::resize_file(entry.path(), 20);
  }
  EXPECT_THAT(why_not(), AllOf(HasSubstr("is damaged"), HasSubstr("nightjar store verify"),
                               HasSubstr("nightjar store repair")));
}

// --- A log that is damaged

struct DamagedLogTest : RocksStoreTest {
  std::set<fs::path> logs() const {
    std::set<fs::path> found;
    for (const auto& entry : fs::directory_iterator(directory)) {
      if (entry.path().extension() == ".log") found.insert(entry.path());
    }
    return found;
  }
  // Thirty commits, each one record of the log, in more than one block; leaves the store closed.
  void write_log() {
    start();
    for (int i = 0; i < kCommits; ++i)
      ASSERT_TRUE(is_committed(put(std::to_string(100 + i), std::string(3000, 'v'))));
    close();
    for (const auto& entry : fs::directory_iterator(directory)) {
      if (entry.path().extension() == ".log" && fs::file_size(entry.path()) > 0) log_file = entry.path();
    }
    ASSERT_GT(fs::file_size(log_file), 32U * 1024);
  }
  void overwrite(std::uint64_t at, const std::string& bytes) const {
    std::fstream file(log_file, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file << bytes;
  }
  [[nodiscard]] std::uint64_t log_bytes() const { return fs::file_size(log_file); }
  std::size_t restored() {
    open();
    return store ? table().size() : 0;
  }

  static constexpr int kCommits = 30;
  fs::path log_file;
};

TEST_F(DamagedLogTest, UndamagedItIsReadWhole) {
  write_log();
  EXPECT_EQ(restored(), std::size_t{kCommits});
}

TEST_F(DamagedLogTest, ABitInTheMiddleIsReported) {
  for (const std::uint64_t at : {0U, 5U, 6U, 100U, 3100U, 40'000U, 60'000U}) {
    fs::remove_all(directory);
    write_log();
    overwrite(at, "#");
    EXPECT_THAT(why_not(), AllOf(HasSubstr("is damaged"), HasSubstr(log_file.filename().string()),
                                 HasSubstr("store verify"), HasSubstr("store repair")))
        << "at " << at;
    // It is as it was: nothing was thrown away by looking.
    EXPECT_THAT(why_not(), HasSubstr("is damaged"));
  }
}

TEST_F(DamagedLogTest, ZerosInTheMiddleAreReported) {
  for (const auto& [at, count] : std::initializer_list<std::pair<std::uint64_t, std::size_t>>{
           {0, 4096}, {0, 32768}, {32768, 32768}, {8192, 4096}}) {
    fs::remove_all(directory);
    write_log();
    overwrite(at, std::string(count, '\0'));
    EXPECT_THAT(why_not(), AllOf(HasSubstr("is damaged"), HasSubstr(log_file.filename().string()))) << at;
  }
}

TEST_F(DamagedLogTest, ABlockThatIsGoneIsReported) {
  write_log();
  std::string bytes(log_bytes(), '\0');
  std::ifstream(log_file, std::ios::binary).read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.erase(0, 32768);
  std::ofstream(log_file, std::ios::binary) << bytes;
  EXPECT_THAT(why_not(), HasSubstr("is damaged"));
}

TEST_F(DamagedLogTest, ALastRecordThatWasCutShortIsLeftOut) {
  for (const std::uint64_t missing : {1U, 100U, 2000U, 3000U}) {
    fs::remove_all(directory);
    write_log();
    fs::resize_file(log_file, log_bytes() - missing);
    EXPECT_EQ(restored(), std::size_t{kCommits - 1}) << missing;
  }
}

TEST_F(DamagedLogTest, ALastRecordOfWhichAPageNeverArrivedIsLeftOut) {
  for (const std::uint64_t from_end : {10U, 1000U, 2900U}) {
    fs::remove_all(directory);
    write_log();
    overwrite(log_bytes() - from_end, std::string(from_end == 10 ? 10U : 500U, '\0'));
    EXPECT_EQ(restored(), std::size_t{kCommits - 1}) << from_end;
  }
}

TEST_F(DamagedLogTest, ZerosBehindTheEndAreNoDamage) {
  write_log();
  fs::resize_file(log_file, log_bytes() + 50'000);
  EXPECT_EQ(restored(), std::size_t{kCommits});
}

// Of the logs that a flush made needless the newer ones go first, so that an older one may be left alone when
// the power goes. It is not to be taken for the beginning of what follows: a table that nothing was written
// to, as that of retained messages, still refers to it.
TEST_F(DamagedLogTest, ALogThatIsDoneWithIsNotMissedByTheNext) {
  options.write_buffers_bytes = 256 * 1024;
  start();
  ASSERT_TRUE(is_committed(put("first", "of all")));
  const fs::path early = *logs().rbegin();
  fs::copy_file(early, directory.parent_path() / "done with");
  std::map<std::string, std::string> wanted{{"first", "of all"}};
  const auto is_done_with = [&] { return !logs().contains(early); };
  for (int i = 0; !is_done_with() && i < kCommits * 100; ++i) {
    const std::string key = std::to_string(1000 + i);
    ASSERT_TRUE(is_committed(put(key, std::string(3000, 'v'))));
    wanted[key] = std::string(3000, 'v');
  }
  ASSERT_TRUE(becomes_true(is_done_with));
  ASSERT_TRUE(is_committed(put("last", "of all")));
  wanted["last"] = "of all";
  close();
  fs::rename(directory.parent_path() / "done with", early);
  open();
  ASSERT_TRUE(store);
  EXPECT_EQ(table(Table::kSessions), wanted);
}

TEST_F(DamagedLogTest, WithoutFsyncWhatLiesBeforeTheDamageIsUsed) {
  options.sync = RocksOptions::Sync::kOs;
  write_log();
  overwrite(32768, std::string(4096, '\0'));
  const std::size_t found = restored();
  EXPECT_GT(found, 5U);
  EXPECT_LT(found, 12U);
  EXPECT_THAT(logged(log::Level::kWarn), ElementsAre(HasSubstr("what came later is lost")));
}

// --- A disk that fails

struct FailingDiskTest : RocksStoreTest {
  FailingDiskTest() { options.env = &env; }
  ~FailingDiskTest() override { close(); }

  std::shared_ptr<FailingDisk> disk = std::make_shared<FailingDisk>();
  test_support::ImpatientEnv env{disk};
};
struct EachFaultTest : FailingDiskTest, ::testing::WithParamInterface<FailingDisk::Fault> {};

TEST_P(EachFaultTest, RefusesKeepsAndRecoversWithoutARestart) {
  start();
  ASSERT_TRUE(is_committed(put("before", "1")));
  disk->set_fault(GetParam());
  put("during/1", "2");
  ASSERT_TRUE(becomes_true([&] { return store->is_refusing(); }));
  EXPECT_TRUE(store->is_busy());
  EXPECT_EQ(store->figures().refusing, 1U);
  put("during/2", "3", Table::kSessions, 1);
  // It has been tried again and failed again.
  const int failures = disk->failures();
  ASSERT_TRUE(becomes_true([&] { return disk->failures() >= failures + 3; }));
  EXPECT_EQ(store->committed({0}), 1U);
  EXPECT_EQ(store->committed({1}), 0U);
  EXPECT_THAT(store->scan(Table::kSessions, {}, [](auto, auto) { return true; }).error().message,
              HasSubstr("cannot be used at present"));

  disk->set_fault(FailingDisk::Fault::kNone);
  ASSERT_TRUE(is_committed(2));
  ASSERT_TRUE(is_committed(1, 1));
  ASSERT_TRUE(becomes_true([&] { return !store->is_refusing(); }));
  ASSERT_TRUE(is_committed(put("after", "4")));
  EXPECT_THAT(table(), ElementsAre(Pair("after", "4"), Pair("before", "1"), Pair("during/1", "2"),
                                   Pair("during/2", "3")));
  EXPECT_THAT(logged(log::Level::kWarn).front(),
              AllOf(HasSubstr("cannot write the store in"), HasSubstr("are not acknowledged until")));
  EXPECT_THAT(logged(log::Level::kInfo), ElementsAre(HasSubstr("is written again, after")));
  EXPECT_EQ(store->figures().outages, 1U);
  EXPECT_EQ(store->figures().refusing, 0U);
  open();
  EXPECT_EQ(table().size(), 4U);
}

TEST_P(EachFaultTest, AnEndMeanwhileLosesOnlyWhatWasNotAcknowledged) {
  start();
  ASSERT_TRUE(is_committed(put("before", "1")));
  disk->set_fault(GetParam());
  put("during", "2");
  ASSERT_TRUE(becomes_true([&] { return store->is_refusing(); }));
  close();
  EXPECT_THAT(logged(log::Level::kError), ElementsAre(HasSubstr("could not be written to the end")));
  disk->set_fault(FailingDisk::Fault::kNone);
  open();
  EXPECT_EQ(table().at("before"), "1");
}

TEST_P(EachFaultTest, AnEndAfterwardsLosesNothing) {
  options.retry = Duration::seconds(3600);
  start();
  disk->set_fault(GetParam());
  put("during", "2");
  ASSERT_TRUE(becomes_true([&] { return store->is_refusing(); }));
  disk->set_fault(FailingDisk::Fault::kNone);
  open();
  EXPECT_THAT(table(), ElementsAre(Pair("during", "2")));
}

TEST_F(FailingDiskTest, OneAlarmHoweverLong) {
  start();
  disk->set_fault(FailingDisk::Fault::kFull);
  put("k", "v");
  ASSERT_TRUE(becomes_true([&] { return disk->failures() >= 10; }));
  EXPECT_THAT(logged(log::Level::kWarn), ElementsAre(AllOf(HasSubstr("No space left on device"),
                                                           HasSubstr("free some space on its disk"))));
}

INSTANTIATE_TEST_SUITE_P(Disk, EachFaultTest,
                         ::testing::Values(FailingDisk::Fault::kFull, FailingDisk::Fault::kSyncFails),
                         [](const auto& chosen) {
                           return chosen.param == FailingDisk::Fault::kFull ? "DiskFull" : "SyncFails";
                         });

// Background work that fails is heard of before the next write.
TEST_F(FailingDiskTest, AFlushThatFailsIsAnOutageToo) {
  options.write_buffers_bytes = 256 * 1024;
  start();
  CommitNumber last = 0;
  for (int i = 0; i < 20; ++i) last = put(std::to_string(i), std::string(5000, 'v'));
  ASSERT_TRUE(is_committed(last));
  disk->set_fault(FailingDisk::Fault::kFull);
  ASSERT_FALSE(store->backup(temp.path() / "copy").has_value()) << "it flushes";
  ASSERT_TRUE(becomes_true([&] { return store->is_refusing(); }));
  disk->set_fault(FailingDisk::Fault::kNone);
  ASSERT_TRUE(becomes_true([&] { return !store->is_refusing(); }));
  EXPECT_EQ(table().size(), 20U);
}

}  // namespace
}  // namespace nightjar::store
