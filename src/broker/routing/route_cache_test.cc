#include "broker/routing/route_cache.h"

#include <gtest/gtest.h>

namespace nightjar::broker {
namespace {

Route& add(RouteCache& cache, const std::string& topic, std::size_t filters = 0) {
  Route& route = cache.insert(topic);
  route.own_filters.resize(filters);
  cache.filled(route);
  return route;
}

TEST(RouteCache, FindsByTopic) {
  RouteCache cache;
  Route& a = add(cache, "a");
  Route& b = add(cache, "b");
  EXPECT_EQ(cache.find("a"), &a);
  EXPECT_EQ(cache.find("b"), &b);
  EXPECT_EQ(cache.find("c"), nullptr);
}

TEST(RouteCache, HoldsABoundedNumberAndKeepsWhatIsUsed) {
  RouteCache cache;
  Route& used = add(cache, "used");
  for (std::size_t i = 0; i < 4 * RouteCache::kEntriesMax; ++i) {
    add(cache, std::to_string(i));
    if (i % 1000 == 0) {
      ASSERT_EQ(cache.find("used"), &used);
    }
    ASSERT_LE(cache.size(), 2 * RouteCache::kEntriesMax + 1);
  }
  EXPECT_EQ(cache.find("0"), nullptr);
}

TEST(RouteCache, HoldsABoundedNumberOfBytes) {
  RouteCache cache;
  constexpr std::size_t kFilters = 10'000;
  for (int i = 0; i < 3'000; ++i) add(cache, std::to_string(i), kFilters);
  EXPECT_LE(cache.size() * kFilters * sizeof(FilterId), 2 * RouteCache::kBytesMax + 100'000);
}

TEST(RouteCache, TheLastOneAgesLikeTheOthers) {
  RouteCache cache;
  Route& last = add(cache, "last");
  EXPECT_EQ(cache.find("last"), &last);
  for (std::size_t i = 0; i < RouteCache::kEntriesMax - 1; ++i) cache.insert(std::to_string(i));
  EXPECT_EQ(cache.find("last"), &last);
  cache.insert("one too many");  // ages
  EXPECT_EQ(cache.find("last"), &last);
  for (std::size_t i = 0; i < 2 * RouteCache::kEntriesMax; ++i) cache.insert("more" + std::to_string(i));
  EXPECT_EQ(cache.find("last"), nullptr);
}

TEST(RouteCache, ForgetsEverythingWhenAsked) {
  RouteCache cache;
  add(cache, "a");
  cache.clear();
  EXPECT_EQ(cache.size(), 0U);
  EXPECT_EQ(cache.find("a"), nullptr);
  Route& a = add(cache, "a");
  EXPECT_EQ(cache.find("a"), &a);
}

}  // namespace
}  // namespace nightjar::broker
