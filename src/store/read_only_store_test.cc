#include "store/read_only_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <random>

#include "broker/durable/describe.h"
#include "store/rocks_settings.h"
#include "tests/support/temp_dir.h"

namespace nightjar::store {
namespace {

namespace fs = std::filesystem;
using broker::Changes;
using broker::Table;
using broker::UnreadRows;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::size_t kLarge = 3000;  // in a blob file

std::string name_of_topic(int i) { return "topic/" + std::to_string(1000 + i); }

// What cannot be compressed, so that rows have the size they seem to have.
std::string noise(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

std::string bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void flip(const fs::path& file, std::uintmax_t at) {
  std::string bytes = bytes_of(file);
  bytes[at] = static_cast<char>(bytes[at] ^ 0x40);
  std::ofstream(file, std::ios::binary) << bytes;
}

struct ReadOnlyStoreTest : testing::Test {
  test_support::TempDir temp;
  fs::path directory = temp.path() / "store";
  RocksOptions options;
  std::unique_ptr<ReadOnlyStore> store;
  std::map<std::string, std::string> rows;
  std::vector<UnreadRows> unread;

  void write(const Changes& changes) {
    auto database = Database::open(directory, options, [](const WriteFailure&) {});
    ASSERT_TRUE(database.has_value()) << database.error().message;
    Database::Batch batch(**database, changes.size_bytes());
    batch.add(changes, {});
    ASSERT_TRUE((*database)->write(batch, Database::Until::kOnDisk).has_value());
  }
  // A copy has its rows in files, not in the log.
  void move_to_files() {
    const fs::path copy = temp.path() / "copy";
    {
      auto database = Database::open(directory, options, [](const WriteFailure&) {});
      ASSERT_TRUE(database.has_value() && (*database)->copy_to(copy).has_value());
    }
    fs::remove_all(directory);
    fs::rename(copy, directory);
  }
  void fill(Table table, int from, int to, std::size_t bytes) {
    Changes changes;
    for (int i = from; i < to; ++i)
      changes.put(table, name_of_topic(i), noise(bytes, static_cast<unsigned>(i)));
    write(changes);
  }
  std::vector<fs::path> files(std::string_view extension) const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(directory)) {
      if (entry.path().extension() == extension) found.push_back(entry.path());
    }
    std::sort(found.begin(), found.end(),
              [](const auto& a, const auto& b) { return fs::file_size(a) > fs::file_size(b); });
    return found;
  }
  std::map<std::string, std::string> contents() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::directory_iterator(directory))
      all[entry.path().filename()] = bytes_of(entry.path());
    return all;
  }
  // Reading never changes anything.
  void read(Table table) {
    const auto before = contents();
    rows.clear();
    unread.clear();
    auto opened = ReadOnlyStore::open(directory, options);
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    store = std::move(*opened);
    std::string last;
    store->read(
        table,
        [&](std::string_view key, std::string_view value) {
          EXPECT_LT(last, key) << "in the order of the keys, each once";
          last = key;
          rows.emplace(key, value);
          return true;
        },
        [this](const UnreadRows& lost) { unread.push_back(lost); });
    EXPECT_EQ(contents(), before);
  }
  void expect_rows(int from, int to, std::size_t bytes) {
    for (int i = from; i < to; ++i)
      EXPECT_EQ(rows[name_of_topic(i)], noise(bytes, static_cast<unsigned>(i))) << i;
  }
};

TEST_F(ReadOnlyStoreTest, ReadsFilesAndLog) {
  fill(Table::kRetained, 0, 100, 500);
  move_to_files();
  fill(Table::kRetained, 100, 120, 500);
  read(Table::kRetained);
  EXPECT_EQ(rows.size(), 120U);
  expect_rows(0, 120, 500);
  EXPECT_THAT(unread, IsEmpty());
  EXPECT_THAT(store->check_files(), IsEmpty());
  EXPECT_FALSE(store->check_log().has_value());
  EXPECT_EQ(store->format(), 1U);
  EXPECT_GT(store->size_of(Table::kRetained).bytes, 50'000U);
  EXPECT_GT(store->log_bytes(), 10'000U);
}

TEST_F(ReadOnlyStoreTest, ADamagedBlockCostsTheRowsInItAndNoOthers) {
  fill(Table::kRetained, 0, 1000, 500);
  move_to_files();
  const fs::path file = files(".sst")[0];
  flip(file, fs::file_size(file) / 2);
  read(Table::kRetained);
  ASSERT_EQ(unread.size(), 1U);
  ASSERT_TRUE(unread[0].after && unread[0].before && !unread[0].key);
  EXPECT_GT(rows.size(), 950U);
  EXPECT_LT(rows.size(), 1000U);
  EXPECT_TRUE(rows.contains(*unread[0].after) && rows.contains(*unread[0].before));
  EXPECT_THAT(unread[0].why, HasSubstr("checksum"));
  // Blocks are 16 KiB, so no readable row beside the gap is missing.
  const auto lost = static_cast<std::size_t>(std::stoi(unread[0].before->substr(6)) -
                                             std::stoi(unread[0].after->substr(6)) - 1);
  EXPECT_EQ(rows.size() + lost, 1000U);
  EXPECT_LE(lost, 16U * 1024 / 500);
  const auto damage = store->check_files();
  ASSERT_EQ(damage.size(), 1U);
  EXPECT_EQ(damage[0].file, file.filename());
  EXPECT_THAT(damage[0].effect, HasSubstr("retained message of topic \"topic/1000\""));
}

TEST_F(ReadOnlyStoreTest, WhatLiesBetweenDamagedBlocksIsRead) {
  fill(Table::kRetained, 0, 1000, 500);
  move_to_files();
  const fs::path file = files(".sst")[0];
  for (const unsigned quarter : {1U, 2U, 3U}) flip(file, fs::file_size(file) / 4 * quarter);
  read(Table::kRetained);
  EXPECT_EQ(unread.size(), 3U);
  EXPECT_GT(rows.size(), 850U);
}

TEST_F(ReadOnlyStoreTest, DamageAtBothEndsIsAGapAtBothEnds) {
  fill(Table::kRetained, 0, 990, 500);  // the last block is large enough to be hit
  move_to_files();
  const fs::path file = files(".sst")[0];
  flip(file, 100);
  flip(file, fs::file_size(file) - 6000);
  read(Table::kRetained);
  ASSERT_EQ(unread.size(), 2U);
  EXPECT_FALSE(unread[0].after.has_value());
  EXPECT_TRUE(unread[0].before && unread[1].after);
  EXPECT_FALSE(unread[1].before.has_value());
  EXPECT_GT(rows.size(), 900U);
}

TEST_F(ReadOnlyStoreTest, AFileWithoutItsIndexDoesNotStandInTheWayOfOthers) {
  fill(Table::kRetained, 0, 300, 500);
  move_to_files();
  fill(Table::kRetained, 300, 400, 500);
  move_to_files();
  const fs::path large = files(".sst")[0];
  for (const bool is_gone : {false, true}) {
    if (is_gone) fs::remove(large);
    if (!is_gone) flip(large, fs::file_size(large) - 5);
    read(Table::kRetained);
    EXPECT_EQ(rows.size(), 100U);
    expect_rows(300, 400, 500);
    EXPECT_THAT(unread, IsEmpty());
    const auto damage = store->check_files();
    ASSERT_EQ(damage.size(), 1U);
    EXPECT_EQ(damage[0].file, large.filename());
    EXPECT_THAT(damage[0].effect, HasSubstr("it cannot be used"));
    EXPECT_THAT(damage[0].why, testing::Not(HasSubstr("scratch")));
    store.reset();
    EXPECT_FALSE(fs::exists(directory.string() + ".scratch"));
  }
}

// In a small file most bytes are notes about it.
TEST_F(ReadOnlyStoreTest, AFlippedByteAnywhereInASmallFileDoesNoHarm) {
  fill(Table::kRetained, 0, 10, 20);
  move_to_files();
  fs::path small;
  for (const fs::path& file : files(".sst")) {
    if (bytes_of(file).find("topic/1000") != std::string::npos) small = file;
  }
  const std::string good = bytes_of(small);
  std::size_t saved = 0;
  constexpr std::size_t kStep = 7;
  for (std::size_t at = 0; at < good.size(); at += kStep) {
    SCOPED_TRACE(at);
    flip(small, at);
    read(Table::kRetained);
    if (rows.size() == 10) expect_rows(0, 10, 20);
    saved += rows.size() == 10 ? 1U : 0U;
    // Some bytes only fill up the end of the file.
    EXPECT_TRUE(rows.size() == 10 || !store->check_files().empty());
    store.reset();
    std::ofstream(small, std::ios::binary) << good;
  }
  EXPECT_GT(saved, good.size() / kStep / 3);
}

TEST_F(ReadOnlyStoreTest, ADamagedLargeMessageIsOneRow) {
  fill(Table::kQueues, 0, 50, kLarge);
  move_to_files();
  const fs::path file = files(".blob")[0];
  flip(file, fs::file_size(file) / 2);
  read(Table::kQueues);
  EXPECT_EQ(rows.size(), 49U);
  ASSERT_EQ(unread.size(), 1U);
  ASSERT_TRUE(unread[0].key.has_value());
  EXPECT_FALSE(rows.contains(*unread[0].key));
}

TEST_F(ReadOnlyStoreTest, WithoutTheListOfFilesTheRowsAreThereNevertheless) {
  fill(Table::kQueues, 0, 50, kLarge);
  fill(Table::kQueues, 50, 100, 20);
  move_to_files();
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().filename().string().starts_with("MANIFEST")) fs::resize_file(entry.path(), 20);
  }
  read(Table::kQueues);
  EXPECT_EQ(rows.size(), 100U);
  expect_rows(0, 50, kLarge);
  expect_rows(50, 100, 20);
  EXPECT_THAT(unread, IsEmpty());
  ASSERT_EQ(store->check_files().size(), 1U);
  fs::remove(directory / "CURRENT");
  read(Table::kQueues);
  EXPECT_EQ(rows.size(), 100U);
}

TEST_F(ReadOnlyStoreTest, ChangesBehindADamagedRecordAreNamed) {
  {
    auto database = Database::open(directory, options, [](const WriteFailure&) {});
    ASSERT_TRUE(database.has_value());
    for (int i = 0; i < 30; ++i) {
      Changes changes;
      changes.put(Table::kRetained, name_of_topic(i), noise(3000, static_cast<unsigned>(i)));
      Database::Batch batch(**database, changes.size_bytes());
      batch.add(changes, {});
      ASSERT_TRUE((*database)->write(batch, Database::Until::kOnDisk).has_value());
    }
  }
  const fs::path log = files(".log")[0];
  flip(log, fs::file_size(log) / 2);
  read(Table::kRetained);
  const auto damage = store->check_log();
  ASSERT_TRUE(damage.has_value());
  std::size_t lost = 0;
  damage->lost.for_each([&](const broker::Change& change) {
    ++lost;
    EXPECT_EQ(change.table, Table::kRetained);
    EXPECT_FALSE(rows.contains(std::string(change.key)));
  });
  EXPECT_EQ(rows.size() + lost, 29U);  // one was in the damaged place
}

TEST_F(ReadOnlyStoreTest, RefusesWhatItMustNotTouch) {
  EXPECT_THAT(ReadOnlyStore::open(directory, options).error().message, HasSubstr("there is no store"));
  EXPECT_FALSE(fs::exists(directory));
  fs::create_directory(directory);
  std::ofstream(directory / "letter.txt") << "text";
  EXPECT_THAT(ReadOnlyStore::open(directory, options).error().message, HasSubstr("there is no store"));
  fs::remove_all(directory);
  Changes changes;
  changes.put(Table::kMeta, kFormatKey, "2");
  write(changes);
  EXPECT_THAT(ReadOnlyStore::open(directory, options).error().message, HasSubstr("newer Nightjar (format 2"));
}

}  // namespace
}  // namespace nightjar::store
