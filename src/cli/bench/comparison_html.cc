#include <fmt/format.h>

#include <iterator>

#include "cli/bench/chart.h"
#include "cli/bench/comparison.h"
#include "cli/bench/report.h"

namespace nightjar::cli::bench {

std::string Comparison::html() const {
  std::string body = "<p>Bars are medians; dots are the rounds.</p>\n";
  std::string heading;
  for (const ComparedFigure& figure : figures_) {
    std::string own_heading = fmt::format("{}: {}", figure.scenario, figure.phase);
    if (own_heading != heading) {
      fmt::format_to(std::back_inserter(body), "{}<h2>{}</h2>\n<div class='charts'>\n",
                     heading.empty() ? "" : "</div>\n", html_text(own_heading));
      heading = std::move(own_heading);
    }
    std::vector<ChartBar> bars;
    const double base = median(figure.rounds.front());
    for (std::size_t i = 0; i < brokers_.size(); ++i) {
      const double value = median(figure.rounds[i]);
      std::string text = figure_text(value);
      if (i > 0 && base > 0) text += fmt::format(" ({:.2f}x)", value / base);
      bars.push_back(
          {.name = brokers_[i], .value = value, .text = std::move(text), .single = figure.rounds[i]});
    }
    body += bar_chart(figure.name, bars);
  }
  if (!heading.empty()) body += "</div>\n";
  for (const std::string& problem : problems_) body += "<p class='bad'>" + html_text(problem) + "</p>\n";
  return html_page("nightjar bench compare", body);
}

}  // namespace nightjar::cli::bench
