// The structures that tie a list to a certificate: issuingDistributionPoint, cRLDistributionPoints.
#include <x509/crl.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace postern;
    const x509::Reader reader(BytesView(data, size));
    (void)x509::read_issuing_point(reader);
    std::vector<x509::DistributionPoint> points;
    if (!x509::read_distribution_points(reader, points)) return 0;
    for (const auto& point : points) (void)point.urls();
    return 0;
}
