#include <boost/json.hpp>

#include "cli/bench/report.h"

namespace nightjar::cli::bench {
namespace {

namespace json = boost::json;

json::object latency_json(const Histogram& latency) {
  const auto us = [](double nanoseconds) { return nanoseconds / 1e3; };
  const auto at = [&](double quantile) { return us(static_cast<double>(latency.at(quantile))); };
  return {{"count", latency.count()},
          {"min", us(static_cast<double>(latency.min()))},
          {"mean", us(latency.mean())},
          {"p50", at(0.50)},
          {"p75", at(0.75)},
          {"p90", at(0.90)},
          {"p99", at(0.99)},
          {"p99.9", at(0.999)},
          {"p99.99", at(0.9999)},
          {"max", us(static_cast<double>(latency.max()))}};
}

json::object verification_json(const Verification& found) {
  return {{"clean", found.is_clean()},
          {"expected", found.expected},
          {"delivered", found.delivered},
          {"lost", found.lost()},
          {"duplicates", found.duplicates},
          {"out_of_order", found.late},
          {"damaged", found.damaged},
          {"foreign", found.foreign},
          {"lost_connections", found.lost_connections},
          {"stalls", found.stalls}};
}

json::array intervals_json(const std::vector<IntervalResult>& intervals) {
  json::array list;
  for (const IntervalResult& each : intervals) {
    list.push_back(
        json::object{{"end_s", each.end_s},
                     {"published_per_s", each.published_per_s},
                     {"delivered_per_s", each.delivered_per_s},
                     {"connected_per_s", each.connected_per_s},
                     {"subscribed_per_s", each.subscribed_per_s},
                     {"broker_cores", each.broker_cores},
                     {"resident_bytes", each.resident_bytes},
                     {"p50_us", static_cast<double>(each.p50_ns) / 1e3},
                     {"p99_us", static_cast<double>(each.p99_ns) / 1e3},
                     {"max_us", static_cast<double>(each.max_ns) / 1e3},
                     {"acknowledged_p99_us", static_cast<double>(each.acknowledged_p99_ns) / 1e3}});
  }
  return list;
}

json::object phase_json(const PhaseResult& phase, bool has_broker_usage) {
  json::object object{{"name", phase.name},
                      {"unit", phase.unit},
                      {"count", phase.count},
                      {"seconds", phase.seconds},
                      {"per_s", phase.rate()},
                      {"published", phase.published},
                      {"bytes_in", phase.bytes_in},
                      {"bytes_out", phase.bytes_out},
                      {"own_cpu_us", phase.own_us()},
                      {"own_tls_us", phase.own_tls_us()},
                      {"latency_us", latency_json(phase.latency)},
                      {"acknowledgement_us", latency_json(phase.acknowledgement)},
                      {"verification", verification_json(phase.verification)}};
  if (has_broker_usage) {
    object["broker"] = {
        {"cpu_us", phase.broker_us()},          {"cpu_s", phase.broker_cpu_s},
        {"cores", phase.broker_cores()},        {"resident_bytes_before", phase.resident_begin},
        {"resident_bytes", phase.resident_end}, {"private_bytes_before", phase.private_begin},
        {"private_bytes", phase.private_end}};
  }
  for (const auto& [name, value] : phase.extra) object[name] = value;
  object["intervals"] = intervals_json(phase.intervals);
  return object;
}

}  // namespace

json::object report_json(const BenchResult& result) {
  json::object settings;
  for (const auto& [name, value] : result.settings) settings[name] = value;
  json::array phases;
  for (const PhaseResult& phase : result.phases) phases.push_back(phase_json(phase, result.has_broker_usage));
  json::array notes;
  for (const std::string& note : result.notes) notes.emplace_back(note);
  return {{"scenario", result.scenario}, {"settings", settings}, {"notes", notes}, {"phases", phases}};
}

}  // namespace nightjar::cli::bench
