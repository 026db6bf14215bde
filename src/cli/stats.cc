#include "cli/stats.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <string_view>

#include "broker/worker.h"
#include "cli/ask_worker.h"

namespace nightjar::cli {
namespace {

namespace json = boost::json;
using broker::Counters;

struct Sum {
  std::string_view name;
  std::uint64_t Counters::*member;
};
struct Level {
  std::string_view name;
  std::int64_t Counters::*member;
};

// What there is now.
constexpr Level kLevels[] = {
    {"connections", &Counters::connections},
    {"clients_connected", &Counters::clients_connected},
    {"sessions", &Counters::sessions},
    {"subscriptions", &Counters::subscriptions},
    {"shared_subscriptions", &Counters::shared_subscriptions},
    {"stranger_bytes", &Counters::stranger_bytes},
};
// What happened since the start.
constexpr Sum kSums[] = {
    {"connections_opened", &Counters::connections_opened},
    {"connections_refused", &Counters::connections_refused},
    {"packets_received", &Counters::packets_received},
    {"packets_sent", &Counters::packets_sent},
    {"bytes_received", &Counters::bytes_received},
    {"bytes_sent", &Counters::bytes_sent},
    {"publish_received", &Counters::publish_received},
    {"publish_sent", &Counters::publish_sent},
    {"publish_bytes_received", &Counters::publish_bytes_received},
    {"publish_bytes_sent", &Counters::publish_bytes_sent},
    {"publish_unrouted", &Counters::publish_unrouted},
    {"takeovers", &Counters::takeovers},
    {"migrations", &Counters::migrations},
    {"shard_moves", &Counters::shard_moves},
    {"sessions_expired", &Counters::sessions_expired},
    {"wills_published", &Counters::wills_published},
    {"protocol_errors", &Counters::protocol_errors},
};

json::object ledger_object(const broker::Ledger& ledger) {
  json::object dropped;
  for (std::size_t i = 0; i < broker::kDropReasons; ++i) {
    dropped[to_string(static_cast<broker::DropReason>(i))] = ledger.dropped[i];
  }
  return {{"routed", ledger.routed},         {"delivered", ledger.delivered},
          {"waiting", ledger.waiting},       {"in_flight", ledger.in_flight},
          {"imbalance", ledger.imbalance()}, {"dropped", std::move(dropped)}};
}

json::object counters_object(const Counters& counters) {
  json::object object;
  for (const Level& level : kLevels) object[level.name] = counters.*level.member;
  for (const Sum& sum : kSums) object[sum.name] = counters.*sum.member;
  object["ledger"] = ledger_object(counters.ledger);
  return object;
}

json::object store_object(const store::StoreFigures& store) {
  return {{"commits", store.commits},
          {"writes", store.writes},
          {"written_bytes", store.written_bytes},
          {"write_us", store.write_us},
          {"flushed_bytes", store.flushed_bytes},
          {"compacted_bytes", store.compacted_bytes},
          {"compactions_running", store.compactions_running},
          {"stalls", store.stalls},
          {"outages", store.outages},
          {"refusing", store.refusing}};
}

json::object clients_object(const ClientCertificates& clients) {
  return {{"connected", clients.connected},
          {"end_within_30_days", clients.end_within_30_days},
          {"end_within_7_days", clients.end_within_7_days},
          {"end_within_1_day", clients.end_within_1_day},
          {"have_expired", clients.expired}};
}

}  // namespace

std::optional<std::vector<Counters>> collect_counters(net::MailRoom& mail) {
  std::vector<Asked<Counters>> asked;
  for (std::uint16_t i = 0; i < mail.workers(); ++i) {
    asked.push_back(ask_worker(mail, {i}, [](broker::Worker& worker) { return worker.counters(); }));
  }
  std::vector<Counters> counters;
  for (Asked<Counters>& each : asked) {
    const std::optional<Counters> answer = each.wait();
    if (!answer) return std::nullopt;
    counters.push_back(*answer);
  }
  return counters;
}

ResidentMemory::ResidentMemory() : statm_(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC)) {}

std::uint64_t ResidentMemory::bytes() const {
  std::array<char, 128> text{};  // "TOTAL RESIDENT ..." in pages
  const ssize_t size = ::pread(statm_.get(), text.data(), text.size(), 0);
  const std::string_view fields{text.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
  const std::string_view resident = fields.substr(std::min(fields.find(' ') + 1, fields.size()));
  std::uint64_t pages = 0;
  std::from_chars(resident.data(), resident.data() + resident.size(), pages);
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::string to_json(const Stats& stats) {
  Counters total;
  json::array workers;
  for (const Counters& worker : stats.workers) {
    broker::add(total, worker);
    workers.push_back(counters_object(worker));
  }
  const json::object node{{"version", stats.version},
                          {"process_id", stats.process_id},
                          {"uptime_s", stats.uptime_s},
                          {"resident_bytes", stats.resident_bytes},
                          {"stranger_bytes", stats.stranger_bytes},
                          {"workers", stats.workers.size()}};
  json::object object{{"ok", true}, {"node", node}, {"total", counters_object(total)}, {"workers", workers}};
  if (stats.store) object["store"] = store_object(*stats.store);
  json::array certificates;
  for (const ServedCertificate& served : stats.certificates.served) {
    certificates.push_back(json::object{{"listener", served.listener},
                                        {"file", served.facts.file},
                                        {"subject", served.facts.subject},
                                        {"serial", served.facts.serial},
                                        {"days_left", served.days_left}});
  }
  object["certificates"] = std::move(certificates);
  if (stats.certificates.clients) object["client_certificates"] = clients_object(*stats.certificates.clients);
  return json::serialize(object);
}

}  // namespace nightjar::cli
