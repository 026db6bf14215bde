// Boost.URL in header-only form: its definitions are compiled here, once.
#include <boost/url/src.hpp>
