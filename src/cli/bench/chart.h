// Charts as SVG inside a page: no script, no font, no address of another server. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace nightjar::cli::bench {

struct ChartLine {
  std::string name;
  std::vector<std::pair<double, double>> points;  // x, y
};

struct ChartForm {
  std::string title;
  std::string x_title;
  std::string (*y_text)(double);
  bool is_logarithmic = false;  // the y axis
  // Where the x axis has marks, with their texts; without, it is numbered evenly.
  std::vector<std::pair<double, std::string>> x_marks;
};

std::string line_chart(const ChartForm& form, const std::vector<ChartLine>& lines);

struct ChartBar {
  std::string name;
  double value = 0;
  std::string text;            // beside the bar
  std::vector<double> single;  // the values of which it is the median, as dots
};

std::string bar_chart(const std::string& title, const std::vector<ChartBar>& bars);

// A whole page around `body`.
std::string html_page(const std::string& title, const std::string& body);
std::string html_text(const std::string& text);

}  // namespace nightjar::cli::bench
