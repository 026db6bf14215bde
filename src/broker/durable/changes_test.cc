#include "broker/durable/changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace nightjar::broker {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> told(const Changes& changes) {
  std::vector<std::string> lines;
  changes.for_each([&lines](const Change& change) {
    const std::string table = std::to_string(static_cast<int>(change.table));
    const std::string key(change.key);
    const std::string value(change.value);
    switch (change.kind) {
      case Change::Kind::kPut:
        return lines.push_back(table + " put " + key + "=" + value);
      case Change::Kind::kErase:
        return lines.push_back(table + " erase " + key);
      case Change::Kind::kEraseRange:
        return lines.push_back(table + " erase " + key + ".." + value);
      case Change::Kind::kRefresh:
        return lines.push_back(table + " refresh " + key);
    }
  });
  return lines;
}

TEST(Changes, ComeInTheOrderInWhichTheyWereMade) {
  Changes changes;
  changes.put(Table::kQueues, "a", "1");
  changes.erase(Table::kSessions, "b");
  changes.erase_range(Table::kQueues, "c", "d");
  changes.refresh("lamp/1");
  changes.put(Table::kMeta, "a", "2");
  EXPECT_THAT(told(changes),
              ElementsAre("2 put a=1", "1 erase b", "2 erase c..d", "3 refresh lamp/1", "0 put a=2"));
}

TEST(Changes, MayHaveEmptyKeysAndValuesAndAnyByte) {
  using namespace std::string_literals;
  Changes changes;
  changes.put(Table::kMeta, "", "");
  changes.put(Table::kMeta, "k\0k"s, "v\0\xff"s);
  EXPECT_THAT(told(changes), ElementsAre("0 put =", "0 put k\0k=v\0\xff"s));
}

TEST(Changes, AreEmptyUntilThereIsOne) {
  Changes changes;
  EXPECT_TRUE(changes.empty());
  EXPECT_THAT(told(changes), IsEmpty());
  changes.refresh("");
  EXPECT_FALSE(changes.empty());
  EXPECT_GT(changes.size_bytes(), 0U);
}

TEST(Changes, HoldLargeValuesWhole) {
  Changes changes;
  const std::string large(300'000, 'x');
  changes.put(Table::kQueues, "large", large);
  changes.put(Table::kQueues, "small", "y");
  EXPECT_THAT(told(changes), ElementsAre("2 put large=" + large, "2 put small=y"));
}

}  // namespace
}  // namespace nightjar::broker
