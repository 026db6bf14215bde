#include "broker/counters.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <string>

namespace nightjar::broker {
namespace {

TEST(DropReason, HasAWordForEach) {
  std::set<std::string_view> words;
  for (std::size_t i = 0; i < kDropReasons; ++i) words.insert(to_string(static_cast<DropReason>(i)));
  EXPECT_EQ(words.size(), kDropReasons);
  EXPECT_FALSE(words.contains("unknown"));
  EXPECT_EQ(to_string(DropReason::kCount), "unknown");
}

TEST(Ledger, BalancesWhatCameInAndWhatBecameOfIt) {
  Ledger ledger;
  ledger.routed = 10;
  ledger.taken_over = 2;
  EXPECT_EQ(ledger.imbalance(), 12);
  ledger.delivered = 4;
  ledger.dropped[static_cast<std::size_t>(DropReason::kExpired)] = 1;
  ledger.dropped[static_cast<std::size_t>(DropReason::kOffline)] = 2;
  ledger.waiting = 2;
  ledger.in_flight = 1;
  ledger.handed_over = 2;
  EXPECT_EQ(ledger.dropped_total(), 3U);
  EXPECT_EQ(ledger.imbalance(), 0);
  ledger.delivered = 6;
  EXPECT_EQ(ledger.imbalance(), -2);
}

TEST(Counters, AddUpFieldByField) {
  // Every field is a number of 64 bits: one that add() forgets keeps its place at 7.
  static_assert(sizeof(Counters) % sizeof(std::uint64_t) == 0);
  constexpr std::size_t kFields = sizeof(Counters) / sizeof(std::uint64_t);
  std::uint64_t numbers[kFields];
  for (std::size_t i = 0; i < kFields; ++i) numbers[i] = i + 1;
  Counters part;
  std::memcpy(&part, numbers, sizeof part);
  for (std::uint64_t& number : numbers) number = 7;
  Counters sum;
  std::memcpy(&sum, numbers, sizeof sum);
  add(sum, part);
  std::memcpy(numbers, &sum, sizeof sum);
  for (std::size_t i = 0; i < kFields; ++i) EXPECT_EQ(numbers[i], i + 8) << "field " << i;
}

}  // namespace
}  // namespace nightjar::broker
