#include "cli/bench/sequence_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

namespace nightjar::cli::bench {
namespace {

TEST(SequenceTrack, AcceptsWhatComesInOrder) {
  SequenceTrack track;
  for (std::uint64_t i = 0; i < 1000; ++i) EXPECT_EQ(track.take(i), Arrival::kInOrder);
  EXPECT_EQ(track.next(), 1000U);
}

TEST(SequenceTrack, NoticesWhatComesTwice) {
  SequenceTrack track;
  track.take(0);
  track.take(1);
  EXPECT_EQ(track.take(1), Arrival::kDuplicate);
  EXPECT_EQ(track.take(0), Arrival::kDuplicate);
  EXPECT_EQ(track.take(2), Arrival::kInOrder);
}

TEST(SequenceTrack, TellsALateMessageFromARepeatedOne) {
  SequenceTrack track;
  track.take(0);
  EXPECT_EQ(track.take(5), Arrival::kInOrder);  // 1 to 4 are missing
  EXPECT_EQ(track.take(3), Arrival::kLate);
  EXPECT_EQ(track.take(3), Arrival::kDuplicate);
  EXPECT_EQ(track.take(1), Arrival::kLate);
  EXPECT_EQ(track.take(4), Arrival::kLate);
  EXPECT_EQ(track.take(2), Arrival::kLate);
  EXPECT_EQ(track.take(5), Arrival::kDuplicate);
  EXPECT_EQ(track.take(6), Arrival::kInOrder);
}

TEST(SequenceTrack, CountsEachOnceInAnyOrder) {
  std::mt19937 random(1);
  std::vector<std::uint64_t> sent;
  for (std::uint64_t i = 0; i < 2000; ++i) sent.insert(sent.end(), i % 5 == 0 ? 2 : 1, i);
  std::shuffle(sent.begin(), sent.end(), random);
  SequenceTrack track;
  std::set<std::uint64_t> seen;
  for (const std::uint64_t each : sent) {
    const bool is_new = seen.insert(each).second;
    EXPECT_EQ(track.take(each) != Arrival::kDuplicate, is_new) << each;
  }
}

TEST(SequenceTrack, OfAPartOfAStreamOnlyGoesForward) {
  SequenceTrack track;
  EXPECT_TRUE(track.advance_to(3));
  EXPECT_TRUE(track.advance_to(7));
  EXPECT_FALSE(track.advance_to(5));
  EXPECT_FALSE(track.advance_to(7));
  EXPECT_TRUE(track.advance_to(8));
}

TEST(SequenceSet, HoldsEachNumberOnce) {
  SequenceSet set;
  std::mt19937 random(2);
  std::vector<std::uint64_t> numbers(5000);
  for (std::uint64_t i = 0; i < numbers.size(); ++i) numbers[i] = i;
  std::shuffle(numbers.begin(), numbers.end(), random);
  for (const std::uint64_t each : numbers) EXPECT_TRUE(set.insert(each));
  for (const std::uint64_t each : numbers) EXPECT_FALSE(set.insert(each));
  EXPECT_TRUE(set.insert(numbers.size()));
}

}  // namespace
}  // namespace nightjar::cli::bench
