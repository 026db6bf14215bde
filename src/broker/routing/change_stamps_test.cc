#include "broker/routing/change_stamps.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "mqtt/topic.h"

namespace nightjar::broker {
namespace {

std::string random_levels(std::minstd_rand& random, bool is_filter) {
  std::string text;
  const auto levels = 1 + random() % 5;
  for (unsigned long i = 0; i < levels; ++i) {
    if (i != 0) text += '/';
    const auto kind = random() % 6;
    if (is_filter && kind == 0) {
      text += '+';
    } else if (is_filter && kind == 1 && i + 1 == levels) {
      text += '#';
    } else if (kind != 2) {  // else an empty level
      text += static_cast<char>('a' + random() % 3);
    }
  }
  return text.empty() ? "a" : text;
}

TEST(ChangeStamps, NoticeEveryFilterThatMatches) {
  std::minstd_rand random{7};
  int matched = 0;
  for (int i = 0; i < 200'000; ++i) {
    const std::string topic = random_levels(random, false);
    const std::string filter = random_levels(random, true);
    if (!mqtt::is_valid_topic_filter(filter) || !mqtt::matches(filter, topic)) continue;
    ++matched;
    ChangeStamps stamps;
    const ChangeStamp before = stamps.read(topic);
    ASSERT_TRUE(stamps.is_current(before));
    stamps.bump(filter);
    ASSERT_FALSE(stamps.is_current(before)) << filter << " matches " << topic;
    if (matched == 2000) break;
  }
  EXPECT_EQ(matched, 2000);
}

TEST(ChangeStamps, LeaveOtherPrefixesAlone) {
  ChangeStamps stamps;
  const ChangeStamp device = stamps.read("plant/line1/device7/temperature");
  for (const char* filter :
       {"plant/line2/#", "plant/line1/device8/#", "plant/+/device8/#", "+/line2/#", "other/#"}) {
    stamps.bump(filter);
    EXPECT_TRUE(stamps.is_current(device)) << filter;
  }
  for (const char* filter : {"plant/line1/device7/#", "plant/line1/+/temperature",
                             "plant/+/device7/temperature", "+/line1/#", "#", "+/+/device7/#", "plant/#"}) {
    const ChangeStamp before = stamps.read("plant/line1/device7/temperature");
    stamps.bump(filter);
    EXPECT_FALSE(stamps.is_current(before)) << filter;
  }
}

}  // namespace
}  // namespace nightjar::broker
