"""Build small sidecars in the style of other programs."""

from __future__ import annotations

NAMESPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "stDim": "http://ns.adobe.com/xap/1.0/sType/Dimensions#",
    "stArea": "http://ns.adobe.com/xmp/sType/Area#",
    "MP": "http://ns.microsoft.com/photo/1.2/",
    "MPRI": "http://ns.microsoft.com/photo/1.2/t/RegionInfo#",
    "MPReg": "http://ns.microsoft.com/photo/1.2/t/Region#",
    "apple-fi": "http://ns.apple.com/faceinfo/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "MicrosoftPhoto": "http://ns.microsoft.com/photo/1.0/",
    "mediapro": "http://ns.iview-multimedia.com/mediapro/1.0/",
    "acdsee": "http://ns.acdsee.com/iptc/1.0/",
    "acdsee-rs": "http://ns.acdsee.com/regions/",
    "acdsee-stDim": "http://ns.acdsee.com/sType/Dimensions#",
    "acdsee-stArea": "http://ns.acdsee.com/sType/Area#",
}
NAMESPACE_DECLARATIONS = "\n".join(
    f"    xmlns:{prefix}='{uri}'" for prefix, uri in NAMESPACES.items() if prefix != "rdf"
)


def build_sidecar(*blocks: str, attributes: str = "") -> str:
    """Build a packet with one description that has these properties."""
    properties = "\n".join(blocks)
    return (
        "<?xpacket begin='\ufeff' id='W5M0MpCehiHzreSzNTczkc9d'?>\n"
        "<x:xmpmeta xmlns:x='adobe:ns:meta/' x:xmptk='Some Editor 1.0'>\n"
        f"<rdf:RDF xmlns:rdf='{NAMESPACES['rdf']}'>\n\n"
        f" <rdf:Description rdf:about=''\n{NAMESPACE_DECLARATIONS}{attributes}>\n{properties}\n </rdf:Description>\n"
        "</rdf:RDF>\n</x:xmpmeta>\n<?xpacket end='w'?>"
    )


def build_mwg_regions(*regions: str, size: tuple[int, int] | None = (4000, 3000)) -> str:
    """Build an MWG region list as exiftool writes it."""
    dimensions = (
        f"""
   <mwg-rs:AppliedToDimensions rdf:parseType='Resource'>
    <stDim:h>{size[1]}</stDim:h>
    <stDim:unit>pixel</stDim:unit>
    <stDim:w>{size[0]}</stDim:w>
   </mwg-rs:AppliedToDimensions>"""
        if size
        else ""
    )
    items = "".join(f"\n     {region}" for region in regions)
    return f"""  <mwg-rs:Regions rdf:parseType='Resource'>{dimensions}
   <mwg-rs:RegionList>
    <rdf:Bag>{items}
    </rdf:Bag>
   </mwg-rs:RegionList>
  </mwg-rs:Regions>"""


def build_region(name: str, x: float, y: float, w: float, h: float, kind: str = "Face", more: str = "") -> str:
    """Build one region of an MWG region list; `more` is added to its structure."""
    return (
        f"<rdf:li rdf:parseType='Resource'><mwg-rs:Area rdf:parseType='Resource'><stArea:h>{h}</stArea:h>"
        f"<stArea:unit>normalized</stArea:unit><stArea:w>{w}</stArea:w><stArea:x>{x}</stArea:x><stArea:y>{y}</stArea:y>"
        f"</mwg-rs:Area><mwg-rs:Name>{name}</mwg-rs:Name><mwg-rs:Type>{kind}</mwg-rs:Type>{more}</rdf:li>"
    )


def build_array(name: str, *texts: str, kind: str = "Bag") -> str:
    """Build an array property."""
    items = "".join(f"\n    <rdf:li>{text}</rdf:li>" for text in texts)
    return f"  <{name}>\n   <rdf:{kind}>{items}\n   </rdf:{kind}>\n  </{name}>"


#: Markup that must be preserved: odd quotes and spaces, comments, CDATA, references, empty elements.
CLUTTER = """  <!-- kept: "by hand" & so -->
  <xmp:CreatorTool
     >Editor &#x2014; &quot;5&quot;</xmp:CreatorTool><xmp:Empty></xmp:Empty><xmp:Other  />
  <dc:title><rdf:Alt><rdf:li xml:lang='x-default'><![CDATA[a < b]]></rdf:li></rdf:Alt></dc:title>
  <xmp:Parts><rdf:Bag><rdf:li><rdf:Description><dc:subject><rdf:Bag><rdf:li>Anna</rdf:li></rdf:Bag></dc:subject>
   </rdf:Description></rdf:li></rdf:Bag></xmp:Parts>
  <?editor keep this?>"""


def build_structure(name: str, *fields: str) -> str:
    """Build a structure."""
    return f"<{name} rdf:parseType='Resource'>{''.join(fields)}</{name}>"


def build_fields(prefix: str, **texts: object) -> str:
    """Build the fields of a structure that are plain texts."""
    return "".join(f"<{prefix}:{name}>{text}</{prefix}:{name}>" for name, text in texts.items())


def build_iptc_regions(*regions: str) -> str:
    """Build IPTC's image regions from the fields of each."""
    items = (build_structure("rdf:li", region) for region in regions)
    return f"<Iptc4xmpExt:ImageRegion><rdf:Bag>{''.join(items)}</rdf:Bag></Iptc4xmpExt:ImageRegion>"


def build_iptc_boundary(vertices: tuple[tuple[float, float], ...] = (), **fields: object) -> str:
    """Build the boundary of an IPTC region, such as rbShape="rectangle"."""
    points = (build_structure("rdf:li", build_fields("Iptc4xmpExt", rbX=x, rbY=y)) for x, y in vertices)
    listed = (
        f"<Iptc4xmpExt:rbVertices><rdf:Seq>{''.join(points)}</rdf:Seq></Iptc4xmpExt:rbVertices>" if vertices else ""
    )
    return build_structure("Iptc4xmpExt:RegionBoundary", build_fields("Iptc4xmpExt", **fields), listed)


def build_microsoft_regions(*regions: str) -> str:
    """Build Microsoft's regions from the fields of each."""
    items = "".join(build_structure("rdf:li", region) for region in regions)
    return build_structure("MP:RegionInfo", f"<MPRI:Regions><rdf:Bag>{items}</rdf:Bag></MPRI:Regions>")


def build_acdsee_regions(*regions: str, size: tuple[int, int] | None = None) -> str:
    """Build ACDSee's regions from the fields of each."""
    width, height = size or (0, 0)
    dimensions = f"<acdsee-rs:AppliedToDimensions acdsee-stDim:w='{width}' acdsee-stDim:h='{height}'/>" if size else ""
    items = "".join(build_structure("rdf:li", region) for region in regions)
    listed = f"<acdsee-rs:RegionList><rdf:Bag>{items}</rdf:Bag></acdsee-rs:RegionList>"
    return build_structure("acdsee-rs:Regions", dimensions, listed)


def build_acdsee_area(kind: str, x: float, y: float, w: float, h: float) -> str:
    """Build an area of an ACDSee region: "DLYArea" or "ALGArea"."""
    fields = " ".join(f"acdsee-stArea:{side}='{value}'" for side, value in zip("xywh", (x, y, w, h), strict=True))
    return f"<acdsee-rs:{kind} {fields}/>"
