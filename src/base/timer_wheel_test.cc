#include "base/timer_wheel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <random>
#include <vector>

namespace nightjar {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Writes its name into a common log when it is due.
struct Bell {
  Bell(int its_name, std::vector<int>& its_log) : name(its_name), log(its_log) {}
  void ring() {
    log.push_back(name);
    if (on_ring) on_ring();
  }
  int name;
  std::vector<int>& log;
  std::function<void()> on_ring;
  Timer timer = Timer::calling<&Bell::ring>(*this);
};

class TimerWheelTest : public ::testing::Test {
 protected:
  std::vector<int> rung_;
  TimerWheel wheel_{MonoTime{1000}};
};

TEST_F(TimerWheelTest, CallsATimerAtItsDeadlineAndNotBefore) {
  Bell bell(1, rung_);
  wheel_.arm(bell.timer, MonoTime{1500});
  EXPECT_TRUE(bell.timer.is_armed());
  wheel_.advance(MonoTime{1499});
  EXPECT_THAT(rung_, IsEmpty());
  wheel_.advance(MonoTime{1500});
  EXPECT_THAT(rung_, ElementsAre(1));
  EXPECT_FALSE(bell.timer.is_armed());
  wheel_.advance(MonoTime{9000});
  EXPECT_THAT(rung_, ElementsAre(1));
}

TEST_F(TimerWheelTest, CallsByDeadlineAndEqualDeadlinesInTheOrderOfArming) {
  Bell a(1, rung_), b(2, rung_), c(3, rung_), d(4, rung_);
  wheel_.arm(a.timer, MonoTime{70000});
  wheel_.arm(b.timer, MonoTime{2000});
  wheel_.advance(MonoTime{1990});
  wheel_.arm(c.timer, MonoTime{2000});
  wheel_.arm(d.timer, MonoTime{1995});
  wheel_.advance(MonoTime{100000});
  EXPECT_THAT(rung_, ElementsAre(4, 2, 3, 1));
}

TEST_F(TimerWheelTest, ADeadlineThatHasPassedIsDueAtTheNextAdvance) {
  Bell bell(1, rung_);
  wheel_.arm(bell.timer, MonoTime{3});
  EXPECT_EQ(wheel_.next_deadline(), MonoTime{1000});
  wheel_.advance(MonoTime{1000});
  EXPECT_THAT(rung_, ElementsAre(1));
}

TEST_F(TimerWheelTest, ACancelledTimerIsNotCalled) {
  Bell bell(1, rung_);
  wheel_.arm(bell.timer, MonoTime{1500});
  wheel_.cancel(bell.timer);
  wheel_.cancel(bell.timer);
  EXPECT_FALSE(bell.timer.is_armed());
  EXPECT_EQ(wheel_.next_deadline(), kNever);
  wheel_.advance(MonoTime{2000});
  EXPECT_THAT(rung_, IsEmpty());
}

TEST_F(TimerWheelTest, ArmingAgainMovesTheDeadline) {
  Bell bell(1, rung_);
  wheel_.arm(bell.timer, MonoTime{1500});
  wheel_.arm(bell.timer, MonoTime{1800});
  EXPECT_EQ(bell.timer.deadline(), MonoTime{1800});
  wheel_.advance(MonoTime{1700});
  EXPECT_THAT(rung_, IsEmpty());
  wheel_.advance(MonoTime{1800});
  EXPECT_THAT(rung_, ElementsAre(1));
}

TEST_F(TimerWheelTest, ATimerMovesToAnotherWheel) {
  TimerWheel other(MonoTime{1000});
  Bell bell(1, rung_);
  wheel_.arm(bell.timer, MonoTime{1500});
  other.arm(bell.timer, MonoTime{1500});
  wheel_.advance(MonoTime{2000});
  EXPECT_THAT(rung_, IsEmpty());
  other.advance(MonoTime{2000});
  EXPECT_THAT(rung_, ElementsAre(1));
}

TEST_F(TimerWheelTest, DestroyingAnArmedTimerCancelsIt) {
  auto bell = std::make_unique<Bell>(1, rung_);
  wheel_.arm(bell->timer, MonoTime{1500});
  bell.reset();
  EXPECT_EQ(wheel_.next_deadline(), kNever);
  wheel_.advance(MonoTime{2000});
  EXPECT_THAT(rung_, IsEmpty());
}

TEST(TimerWheelLifetime, ATimerMayOutliveItsWheel) {
  std::vector<int> rung;
  Bell bell(1, rung);
  {
    TimerWheel wheel(MonoTime{0});
    wheel.arm(bell.timer, MonoTime{10});
  }
  EXPECT_FALSE(bell.timer.is_armed());
}

TEST_F(TimerWheelTest, ACallbackMayDestroyItsOwnTimer) {
  auto bell = std::make_unique<Bell>(1, rung_);
  bell->on_ring = [&] { bell.reset(); };
  wheel_.arm(bell->timer, MonoTime{1500});
  wheel_.advance(MonoTime{1500});
  EXPECT_EQ(bell, nullptr);
  EXPECT_THAT(rung_, ElementsAre(1));
}

TEST_F(TimerWheelTest, ACallbackMayCancelAnotherDueTimer) {
  Bell first(1, rung_), second(2, rung_), third(3, rung_);
  first.on_ring = [&] { wheel_.cancel(second.timer); };
  for (Bell* bell : {&first, &second, &third}) wheel_.arm(bell->timer, MonoTime{1500});
  wheel_.advance(MonoTime{1600});
  EXPECT_THAT(rung_, ElementsAre(1, 3));
}

TEST_F(TimerWheelTest, ATimerThatArmsItselfForNowWaitsForTheNextAdvance) {
  Bell bell(1, rung_);
  bell.on_ring = [&] { wheel_.arm(bell.timer, wheel_.now()); };
  wheel_.arm(bell.timer, MonoTime{1500});
  wheel_.advance(MonoTime{1500});
  EXPECT_THAT(rung_, ElementsAre(1));
  EXPECT_EQ(wheel_.next_deadline(), MonoTime{1500});
  wheel_.advance(MonoTime{1500});
  EXPECT_THAT(rung_, ElementsAre(1, 1));
}

TEST_F(TimerWheelTest, ACallbackThatMovesAnotherDueTimerToLaterDelaysIt) {
  Bell first(1, rung_), second(2, rung_);
  first.on_ring = [&] { wheel_.arm(second.timer, MonoTime{5000}); };
  wheel_.arm(first.timer, MonoTime{1500});
  wheel_.arm(second.timer, MonoTime{1501});
  wheel_.advance(MonoTime{1600});
  EXPECT_THAT(rung_, ElementsAre(1));
  wheel_.advance(MonoTime{5000});
  EXPECT_THAT(rung_, ElementsAre(1, 2));
}

TEST_F(TimerWheelTest, FarDeadlinesAreExact) {
  constexpr std::int64_t kYearMs = 365LL * 24 * 3600 * 1000;
  Bell year(1, rung_), century(2, rung_), never(3, rung_);
  wheel_.arm(never.timer, kNever);
  wheel_.arm(century.timer, MonoTime{100 * kYearMs});
  wheel_.arm(year.timer, MonoTime{kYearMs});
  EXPECT_EQ(wheel_.next_deadline(), MonoTime{kYearMs});
  wheel_.advance(MonoTime{kYearMs - 1});
  EXPECT_THAT(rung_, IsEmpty());
  wheel_.advance(MonoTime{kYearMs});
  EXPECT_THAT(rung_, ElementsAre(1));
  wheel_.advance(MonoTime{100 * kYearMs - 1});
  EXPECT_THAT(rung_, ElementsAre(1));
  wheel_.advance(MonoTime{100 * kYearMs});
  EXPECT_THAT(rung_, ElementsAre(1, 2));
  EXPECT_TRUE(never.timer.is_armed());
}

TEST_F(TimerWheelTest, ALoneTimerCostsOneWakeUp) {
  Bell bell(1, rung_);
  wheel_.arm(bell.timer, MonoTime{91234567});
  EXPECT_EQ(wheel_.next_deadline(), MonoTime{91234567});
  wheel_.advance(wheel_.next_deadline());
  EXPECT_THAT(rung_, ElementsAre(1));
}

TEST_F(TimerWheelTest, TimeThatRunsBackwardsIsIgnored) {
  Bell bell(1, rung_);
  wheel_.advance(MonoTime{2000});
  wheel_.advance(MonoTime{1500});
  EXPECT_EQ(wheel_.now(), MonoTime{2000});
  wheel_.arm(bell.timer, MonoTime{2001});
  wheel_.advance(MonoTime{1999});
  EXPECT_THAT(rung_, IsEmpty());
  wheel_.advance(MonoTime{2001});
  EXPECT_THAT(rung_, ElementsAre(1));
}

TEST(TimerWheelOrigin, TimesBeforeTheOriginAreTimesLikeOthers) {
  std::vector<int> rung;
  TimerWheel wheel(MonoTime{-1'000'000});
  Bell before(1, rung), after(2, rung);
  wheel.arm(after.timer, MonoTime{5});
  wheel.arm(before.timer, MonoTime{-5});
  EXPECT_EQ(wheel.next_deadline(), MonoTime{-5});
  wheel.advance(MonoTime{-1});
  EXPECT_THAT(rung, ElementsAre(1));
  wheel.advance(MonoTime{5});
  EXPECT_THAT(rung, ElementsAre(1, 2));
}

// Against a model that keeps deadlines in a sorted list.
class TimerWheelModel : public ::testing::TestWithParam<unsigned> {};

TEST_P(TimerWheelModel, AgreesWithASortedListUnderRandomUse) {
  std::mt19937_64 random(GetParam());
  const auto below = [&](std::uint64_t bound) { return static_cast<std::int64_t>(random() % bound); };
  std::vector<int> rung;
  TimerWheel wheel(MonoTime{0});
  std::vector<std::unique_ptr<Bell>> bells;
  for (int i = 0; i < 50; ++i) bells.push_back(std::make_unique<Bell>(i, rung));

  for (int step = 0; step < 2000; ++step) {
    const auto bell = static_cast<std::size_t>(below(50));
    switch (below(4)) {
      case 0:
      case 1:
        wheel.arm(bells[bell]->timer, wheel.now() + Duration{below(std::uint64_t{1} << (1 + below(30)))});
        break;
      case 2:
        wheel.cancel(bells[bell]->timer);
        break;
      default: {
        const MonoTime now = wheel.now() + Duration{below(std::uint64_t{1} << (1 + below(28)))};
        std::vector<int> due;
        for (const auto& b : bells) {
          if (b->timer.is_armed() && b->timer.deadline() <= now) due.push_back(b->name);
        }
        rung.clear();
        std::vector<MonoTime> deadlines;
        for (const auto& b : bells) deadlines.push_back(b->timer.deadline());
        wheel.advance(now);
        const auto earlier = [&](int a, int b) {
          return deadlines[static_cast<std::size_t>(a)] < deadlines[static_cast<std::size_t>(b)];
        };
        ASSERT_TRUE(std::is_sorted(rung.begin(), rung.end(), earlier)) << "step " << step;
        std::sort(rung.begin(), rung.end());
        ASSERT_EQ(rung, due) << "step " << step;
      }
    }
    MonoTime nearest = kNever;
    for (const auto& b : bells) {
      if (b->timer.is_armed()) nearest = std::min(nearest, b->timer.deadline());
    }
    ASSERT_LE(wheel.next_deadline(), nearest) << "step " << step;
    if (nearest == kNever) {
      ASSERT_EQ(wheel.next_deadline(), kNever);
    } else {
      ASSERT_GE(wheel.next_deadline(), wheel.now());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, TimerWheelModel, ::testing::Range(0u, 20u));

}  // namespace
}  // namespace nightjar
