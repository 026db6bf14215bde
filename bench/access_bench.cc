// What an ACL costs: one decision by a file of a thousand lines, and a PUBLISH through the whole core with it
// (once for the publisher, once for the receiver) and without.
#include <benchmark/benchmark.h>

#include <fmt/format.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "auth/access_rules.h"

namespace nightjar {
namespace {

constexpr int kLines = 1000;

// 250 users with four lines each, as a plant might have them, and two patterns for everybody.
std::string a_thousand_lines() {
  std::string text;
  for (int user = 0; user < kLines / 4; ++user) {
    fmt::format_to(std::back_inserter(text),
                   "user user{0}\ntopic readwrite fleet/{0}/#\ntopic read plan/{0}/+\ntopic write log/{0}\n"
                   "topic deny fleet/{0}/secret\n",
                   user);
  }
  return text + "pattern readwrite dev/%c/#\npattern read news/%u\n";
}

auth::AccessRules rules() {
  auto parsed = auth::AccessRules::parse_mosquitto(a_thousand_lines(), "acl");
  if (!parsed) std::abort();
  return std::move(*parsed);
}

void decide(benchmark::State& state, std::string_view user, std::string_view topic) {
  const auth::AccessRules acl = rules();
  const broker::ClientIdentity who{.client_id = "dev4711", .user_name = user, .listener = "plain"};
  for (auto _ : state) benchmark::DoNotOptimize(acl.decide(auth::kPublish, who, topic));
}

BENCHMARK_CAPTURE(decide, by_line_of_user, "user17", "fleet/17/dev4711/sensor/temperature");
BENCHMARK_CAPTURE(decide, by_pattern, "user17", "dev/dev4711/sensor/temperature");
BENCHMARK_CAPTURE(decide, denied, "user17", "elsewhere/17/dev4711/sensor/temperature");

}  // namespace
}  // namespace nightjar

BENCHMARK_MAIN();
