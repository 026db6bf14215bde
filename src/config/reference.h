// docs/configuration.md, written from the schema so that it cannot differ from what the broker reads. Pure.
#pragma once

#include <string>

namespace nightjar::config {

std::string reference();

}  // namespace nightjar::config
