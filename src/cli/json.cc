// Boost.JSON in header-only form: its definitions are compiled here, once.
#include <boost/json/src.hpp>
