#include "cli/bench/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <iterator>

#include "cli/bench/report.h"

namespace nightjar::cli::bench {
double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

void Comparison::add_figure(std::size_t broker, const std::string& scenario, const std::string& phase,
                            const std::string& name, double value) {
  auto figure = std::find_if(figures_.begin(), figures_.end(), [&](const ComparedFigure& each) {
    return each.scenario == scenario && each.phase == phase && each.name == name;
  });
  if (figure == figures_.end()) {
    // Behind those of its phase: not every broker has every figure.
    const auto last = std::find_if(figures_.rbegin(), figures_.rend(), [&](const ComparedFigure& each) {
      return each.scenario == scenario && each.phase == phase;
    });
    figure = figures_.insert(last == figures_.rend() ? figures_.end() : last.base(),
                             {scenario, phase, name, std::vector<std::vector<double>>(brokers_.size())});
  }
  figure->rounds[broker].push_back(value);
}

void Comparison::add(std::size_t broker, const std::string& scenario, const BenchResult& result) {
  for (const PhaseResult& phase : result.phases) {
    const auto put = [&](const std::string& name, double value) {
      add_figure(broker, scenario, phase.name, name, value);
    };
    const auto us = [&](double quantile) { return static_cast<double>(phase.latency.at(quantile)) / 1e3; };
    put(fmt::format("CPU µs per {}", phase.unit), phase.broker_us());
    if (phase.unit != kSecondUnit) put(fmt::format("{}s per s", phase.unit), phase.rate());
    if (!phase.latency.empty()) {
      put("p50 µs", us(0.50));
      put("p99 µs", us(0.99));
    }
    put("resident MiB", static_cast<double>(phase.resident_end) / 1024 / 1024);
    put(fmt::format("this tool's CPU µs per {}", phase.unit), phase.own_us());
    if (phase.own_tls_s > 0) put(fmt::format("TLS of it, µs per {}", phase.unit), phase.own_tls_us());
    for (const auto& [name, value] : phase.extra) put(words(name), value);
    const Verification& found = phase.verification;
    if (!found.is_clean()) {
      problems_.push_back(fmt::format(
          "{}, {}, {}: {} lost, {} duplicates, {} out of order, {} damaged, {} foreign, {} connections lost",
          brokers_[broker], scenario, phase.name, found.lost(), found.duplicates, found.late, found.damaged,
          found.foreign, found.lost_connections));
    }
  }
}

std::string Comparison::table() const {
  std::string text;
  const ComparedFigure* previous = nullptr;
  for (const ComparedFigure& figure : figures_) {
    if (previous == nullptr || previous->scenario != figure.scenario || previous->phase != figure.phase) {
      fmt::format_to(std::back_inserter(text), "{}{}: {}\n  {:<32}", previous != nullptr ? "\n" : "",
                     figure.scenario, figure.phase, "");
      for (const std::string& broker : brokers_) fmt::format_to(std::back_inserter(text), "{:>22}", broker);
      text += '\n';
    }
    previous = &figure;
    // Widths count bytes, and µ has two of them.
    fmt::format_to(std::back_inserter(text), "  {:<32}", figure.name);
    const double base = median(figure.rounds.front());
    for (std::size_t i = 0; i < figure.rounds.size(); ++i) {
      const double value = median(figure.rounds[i]);
      const std::string ratio = i > 0 && base > 0 ? fmt::format(" ({:.2f}x)", value / base) : "";
      fmt::format_to(std::back_inserter(text), "{:>22}", figure_text(value) + ratio);
    }
    text += '\n';
  }
  for (const std::string& problem : problems_)
    fmt::format_to(std::back_inserter(text), "\nNOT CLEAN: {}", problem);
  if (!problems_.empty()) text += '\n';
  return text;
}

boost::json::object Comparison::json() const {
  boost::json::array figures;
  for (const ComparedFigure& figure : figures_) {
    boost::json::object by_broker;
    const double base = median(figure.rounds.front());
    for (std::size_t i = 0; i < brokers_.size(); ++i) {
      const double value = median(figure.rounds[i]);
      boost::json::object each{{"median", value}, {"rounds", boost::json::value_from(figure.rounds[i])}};
      if (base > 0) each["ratio"] = value / base;
      by_broker[brokers_[i]] = each;
    }
    figures.push_back(boost::json::object{{"scenario", figure.scenario},
                                          {"phase", figure.phase},
                                          {"figure", figure.name},
                                          {"brokers", by_broker}});
  }
  return {{"brokers", boost::json::value_from(brokers_)},
          {"figures", figures},
          {"problems", boost::json::value_from(problems_)}};
}

}  // namespace nightjar::cli::bench
