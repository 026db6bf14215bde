// The results of a comparison, brought together. Pure.
#pragma once

#include <boost/json/fwd.hpp>
#include <string>
#include <vector>

#include "cli/bench/result.h"

namespace nightjar::cli::bench {

// A figure of one phase, by broker and round.
struct ComparedFigure {
  std::string scenario;  // the line that was asked for
  std::string phase;
  std::string name;                         // "CPU µs per message"
  std::vector<std::vector<double>> rounds;  // by broker
};

class Comparison {
 public:
  explicit Comparison(std::vector<std::string> brokers) : brokers_(std::move(brokers)) {}

  // Results of a broker come round after round.
  void add(std::size_t broker, const std::string& scenario, const BenchResult& result);

  [[nodiscard]] const std::vector<ComparedFigure>& figures() const { return figures_; }
  [[nodiscard]] const std::vector<std::string>& brokers() const { return brokers_; }
  // Every message of every round arrived as it should.
  [[nodiscard]] bool is_clean() const { return problems_.empty(); }
  // Medians; behind those of the second broker and later, the ratio to the first.
  [[nodiscard]] std::string table() const;
  [[nodiscard]] boost::json::object json() const;
  // One page with a bar chart of every figure.
  [[nodiscard]] std::string html() const;

 private:
  void add_figure(std::size_t broker, const std::string& scenario, const std::string& phase,
                  const std::string& name, double value);

  std::vector<std::string> brokers_;
  std::vector<ComparedFigure> figures_;
  std::vector<std::string> problems_;
};

double median(std::vector<double> values);

}  // namespace nightjar::cli::bench
