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
